// Command controllers is the conformance program: the real metric providers of Argo Rollouts and the real webhooks and Prometheus provider of
// Flagger, driven from outside; and the expressions of Kargo's http step.
//
// It reads one JSON command a line from standard input and writes one JSON answer a line to standard output: {"ok": …} or {"error": "…"}.
// A panic of a controller's code is an error that begins with "panic: ".
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	log "github.com/sirupsen/logrus"
)

// command is one line of input; which fields count depends on op.
type command struct {
	Op string `json:"op"`
	// File is a manifest; Replace is applied to its text first, so that what is shipped can speak to a server of a test.
	File    string            `json:"file"`
	Replace map[string]string `json:"replace"`
	// CRDs are the files that define what the controllers accept.
	CRDs []string `json:"crds"`
	Name string   `json:"name"`
	// Args are given to an analysis template; Secrets are "name/key" of its namespace.
	Args    map[string]string `json:"args"`
	Secrets map[string]string `json:"secrets"`
	Run     int               `json:"run"`
	// AppliedSpec is what Flagger takes the checksum of.
	AppliedSpec string `json:"appliedSpec"`
	Phase       string `json:"phase"`
	Hook        string `json:"hook"`
	Message     string `json:"message"`
	// Expression is evaluated over Response.
	Expression string         `json:"expression"`
	Response   map[string]any `json:"response"`
}

func main() {
	log.SetOutput(io.Discard)
	runs := &analysisRuns{}
	answers := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		result, err := answer(runs, lines.Bytes())
		if err != nil {
			err = answers.Encode(map[string]string{"error": err.Error()})
		} else {
			err = answers.Encode(map[string]any{"ok": result})
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

func answer(runs *analysisRuns, line []byte) (result any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v", fault)
		}
	}()
	var c command
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, err
	}
	switch c.Op {
	case "validate":
		return validate(c)
	case "argo.start":
		return runs.start(c)
	case "argo.measure":
		return runs.measure(c.Run)
	case "flagger.hook":
		return callHook(c)
	case "flagger.event":
		return callEvent(c)
	case "flagger.query":
		return query(c)
	case "kargo.evaluate":
		return evaluate(c)
	default:
		return nil, errors.New("unknown op " + c.Op)
	}
}
