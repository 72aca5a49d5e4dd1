package main

import (
	"fmt"

	flagger "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/fluxcd/flagger/pkg/controller"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
	"github.com/fluxcd/flagger/pkg/metrics/providers"
)

// hookAnswer is how Flagger reads the answer to a hook: error is null when it took it as a yes.
type hookAnswer struct {
	Error *string `json:"error"`
}

// readHook finds a canary and its hook of this type, since each role has one.
func readHook(c command) (flagger.Canary, flagger.CanaryWebhook, error) {
	var canary flagger.Canary
	if err := find(c, "Canary", &canary); err != nil {
		return canary, flagger.CanaryWebhook{}, err
	}
	canary.Status.LastAppliedSpec = c.AppliedSpec
	canary.Status.Phase = flagger.CanaryPhase(c.Phase)
	for _, hook := range canary.Spec.Analysis.Webhooks {
		if string(hook.Type) == c.Hook {
			return canary, hook, nil
		}
	}
	return canary, flagger.CanaryWebhook{}, fmt.Errorf("canary %s has no %s hook", canary.Name, c.Hook)
}

func callHook(c command) (hookAnswer, error) {
	canary, hook, err := readHook(c)
	if err != nil {
		return hookAnswer{}, err
	}
	return toAnswer(controller.CallWebhook(canary, flagger.CanaryPhase(c.Phase), hook)), nil
}

func callEvent(c command) (hookAnswer, error) {
	c.Hook = string(flagger.EventHook)
	canary, hook, err := readHook(c)
	if err != nil {
		return hookAnswer{}, err
	}
	return toAnswer(controller.CallEventWebhook(&canary, hook, c.Message, "Normal")), nil
}

func toAnswer(err error) hookAnswer {
	if err == nil {
		return hookAnswer{}
	}
	text := err.Error()
	return hookAnswer{Error: &text}
}

// queryAnswer is what Flagger's Prometheus provider makes of us.
type queryAnswer struct {
	Online      bool     `json:"online"`
	OnlineError *string  `json:"onlineError"`
	Value       *float64 `json:"value"`
	Error       *string  `json:"error"`
}

// query asks for the metric of a canary that stands beside the metric's template, as Flagger does at every interval.
func query(c command) (queryAnswer, error) {
	var template flagger.MetricTemplate
	var canary flagger.Canary
	if err := find(c, "MetricTemplate", &template); err != nil {
		return queryAnswer{}, err
	}
	c.Name = ""
	if err := find(c, "Canary", &canary); err != nil {
		return queryAnswer{}, err
	}
	for _, metric := range canary.Spec.Analysis.Metrics {
		if metric.TemplateRef == nil || metric.TemplateRef.Name != template.Name {
			continue
		}
		// As toMetricModel of pkg/controller/scheduler_metrics.go.
		text, err := observers.RenderQuery(template.Spec.Query, flagger.MetricTemplateModel{
			Name:      canary.Name,
			Namespace: canary.Namespace,
			Target:    canary.Spec.TargetRef.Name,
			Service:   canary.Spec.TargetRef.Name,
			Interval:  metric.Interval,
			Variables: metric.TemplateVariables,
		})
		if err != nil {
			return queryAnswer{}, err
		}
		return ask(template.Spec.Provider, c.Secrets, text)
	}
	return queryAnswer{}, fmt.Errorf("canary %s has no metric from template %s", canary.Name, template.Name)
}

func ask(spec flagger.MetricTemplateProvider, secrets map[string]string, text string) (queryAnswer, error) {
	credentials := map[string][]byte{}
	for name, value := range secrets {
		credentials[name] = []byte(value)
	}
	provider, err := providers.NewPrometheusProvider(spec, credentials)
	if err != nil {
		return queryAnswer{}, err
	}
	var answer queryAnswer
	online, err := provider.IsOnline()
	answer.Online = online
	answer.OnlineError = toAnswer(err).Error
	value, err := provider.RunQuery(text)
	answer.Error = toAnswer(err).Error
	if err == nil {
		answer.Value = &value
	}
	return answer, nil
}
