package main

import (
	"fmt"

	"github.com/expr-lang/expr"
)

// evaluate is an expression of Kargo's http step over an answer, in the language that Kargo has.
func evaluate(c command) (bool, error) {
	result, err := expr.Eval(c.Expression, map[string]any{"response": c.Response})
	if err != nil {
		return false, err
	}
	is, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("%s is %v, not true or false", c.Expression, result)
	}
	return is, nil
}
