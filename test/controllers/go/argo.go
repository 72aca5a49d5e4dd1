package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/metricproviders/kayenta"
	"github.com/argoproj/argo-rollouts/metricproviders/webmetric"
	argo "github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/defaults"
	argotemplate "github.com/argoproj/argo-rollouts/utils/template"
	log "github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errorRetry is DefaultErrorRetryInterval of analysis/analysis.go.
const errorRetry = 10 * time.Second

// analysisRuns are the runs under way. Each has one metric, as our templates have.
type analysisRuns struct{ all []*analysisRun }

type analysisRun struct {
	run    argo.AnalysisRun
	metric argo.Metric
	result argo.MetricResult
}

// state is what Argo would show, and when its controller would come back.
type state struct {
	Run int `json:"run"`
	// Measurement is the phase of the last one, Phase that of the metric after it: "Running" until the metric has ended.
	Measurement string `json:"measurement"`
	Phase       string `json:"phase"`
	Value       string `json:"value"`
	Message     string `json:"message"`
	Errors      int32  `json:"errors"`
	// WaitSeconds until the controller measures again; 0 once the metric has ended.
	WaitSeconds float64 `json:"waitSeconds"`
}

// start makes a run of a template as the controller does: arguments declared, given or defaulted, secrets read, and all put in.
func (r *analysisRuns) start(c command) (state, error) {
	var template argo.AnalysisTemplate
	if err := find(c, "AnalysisTemplate", &template); err != nil {
		return state{}, err
	}
	args := template.Spec.Args
	for i, arg := range args {
		if given, ok := c.Args[arg.Name]; ok {
			args[i].Value = &given
		} else if arg.ValueFrom != nil && arg.ValueFrom.SecretKeyRef != nil {
			ref := arg.ValueFrom.SecretKeyRef
			secret, ok := c.Secrets[ref.Name+"/"+ref.Key]
			if !ok {
				return state{}, fmt.Errorf("no secret %s/%s is given", ref.Name, ref.Key)
			}
			args[i].Value = &secret
		}
		if args[i].Value == nil {
			return state{}, fmt.Errorf("args.%s was not resolved", arg.Name)
		}
	}
	if len(template.Spec.Metrics) != 1 {
		return state{}, fmt.Errorf("%s has %d metrics", template.Name, len(template.Spec.Metrics))
	}
	// As ResolveMetricArgs of utils/analysis/factory.go, whose package needs all of Kubernetes.
	text, err := json.Marshal(template.Spec.Metrics[0])
	if err != nil {
		return state{}, err
	}
	resolved, err := argotemplate.ResolveQuotedArgs(string(text), args)
	if err != nil {
		return state{}, err
	}
	one := &analysisRun{}
	if err := json.Unmarshal([]byte(resolved), &one.metric); err != nil {
		return state{}, err
	}
	// The controller stores the start with the first status, so a metric without an initial delay is measured before it is there.
	// With one, the run has begun that long before its first measurement, which is not waited for here.
	if one.metric.InitialDelay != "" {
		delay, err := one.metric.InitialDelay.Duration()
		if err != nil {
			return state{}, err
		}
		startedAt := metav1.NewTime(time.Now().Add(-delay))
		one.run.Status.StartedAt = &startedAt
	}
	r.all = append(r.all, one)
	return state{Run: len(r.all) - 1, Phase: string(argo.AnalysisPhasePending)}, nil
}

// measure does what the controller does next: takes a measurement, or resumes the one under way. It does not wait; whoever drives it may.
func (r *analysisRuns) measure(number int) (state, error) {
	if number < 0 || number >= len(r.all) {
		return state{}, fmt.Errorf("there is no run %d", number)
	}
	one := r.all[number]
	if one.result.Phase.Completed() {
		return state{}, fmt.Errorf("run %d has ended", number)
	}
	measurement, err := one.next()
	if err != nil {
		return state{}, err
	}
	one.count(measurement)
	phase := assess(one.metric, one.result, measurement)
	one.result.Phase = phase
	answer := state{
		Run:         number,
		Measurement: string(measurement.Phase),
		Phase:       string(phase),
		Value:       measurement.Value,
		Message:     measurement.Message,
		Errors:      one.result.ConsecutiveError,
	}
	if !phase.Completed() {
		wait, err := waitAfter(one.metric, measurement)
		if err != nil {
			return state{}, err
		}
		answer.WaitSeconds = wait.Seconds()
	}
	return answer, nil
}

func (one *analysisRun) next() (argo.Measurement, error) {
	var last *argo.Measurement
	if n := len(one.result.Measurements); n > 0 && !one.result.Measurements[n-1].Phase.Completed() {
		last = &one.result.Measurements[n-1]
	}
	entry := *log.NewEntry(log.StandardLogger())
	switch {
	case one.metric.Provider.Web != nil:
		client, err := webmetric.NewWebMetricHttpClient(one.metric)
		if err != nil {
			return argo.Measurement{}, err
		}
		parser, err := webmetric.NewWebMetricJsonParser(one.metric)
		if err != nil {
			return argo.Measurement{}, err
		}
		return webmetric.NewWebMetricProvider(entry, client, parser).Run(&one.run, one.metric), nil
	case one.metric.Provider.Kayenta != nil:
		provider := kayenta.NewKayentaProvider(entry, kayenta.NewHttpClient())
		if last != nil {
			return provider.Resume(&one.run, one.metric, *last), nil
		}
		return provider.Run(&one.run, one.metric), nil
	default:
		return argo.Measurement{}, fmt.Errorf("metric %s has no provider that is driven here", one.metric.Name)
	}
}

// count is the bookkeeping of runMeasurements in analysis/analysis.go.
func (one *analysisRun) count(measurement argo.Measurement) {
	result := &one.result
	switch measurement.Phase {
	case argo.AnalysisPhaseSuccessful:
		result.Successful++
		result.Count++
		result.ConsecutiveError = 0
		result.ConsecutiveSuccess++
	case argo.AnalysisPhaseFailed:
		result.Failed++
		result.Count++
		result.ConsecutiveError = 0
		result.ConsecutiveSuccess = 0
	case argo.AnalysisPhaseInconclusive:
		result.Inconclusive++
		result.Count++
		result.ConsecutiveError = 0
		result.ConsecutiveSuccess = 0
	case argo.AnalysisPhaseError:
		result.Error++
		result.ConsecutiveError++
		result.ConsecutiveSuccess = 0
	}
	if n := len(result.Measurements); n > 0 && !result.Measurements[n-1].Phase.Completed() {
		result.Measurements[n-1] = measurement
	} else {
		result.Measurements = append(result.Measurements, measurement)
	}
}

// assess is assessMetricStatus of analysis/analysis.go, without consecutiveSuccessLimit, which no template of ours sets.
func assess(metric argo.Metric, result argo.MetricResult, last argo.Measurement) argo.AnalysisPhase {
	failures, inconclusives := int32(0), int32(0)
	if metric.FailureLimit != nil {
		failures = int32(metric.FailureLimit.IntValue())
	}
	if metric.InconclusiveLimit != nil {
		inconclusives = int32(metric.InconclusiveLimit.IntValue())
	}
	count := metric.EffectiveCount()
	switch {
	case !last.Phase.Completed():
		return argo.AnalysisPhaseRunning
	case result.ConsecutiveError > defaults.GetConsecutiveErrorLimitOrDefault(&metric):
		return argo.AnalysisPhaseError
	case result.Inconclusive > inconclusives:
		return argo.AnalysisPhaseInconclusive
	case failures >= 0 && result.Failed > failures:
		return argo.AnalysisPhaseFailed
	case count != nil && result.Count >= int32(count.IntValue()):
		return argo.AnalysisPhaseSuccessful
	default:
		return argo.AnalysisPhaseRunning
	}
}

// waitAfter is calculateNextReconcileTime of analysis/analysis.go for one metric.
func waitAfter(metric argo.Metric, last argo.Measurement) (time.Duration, error) {
	if !last.Phase.Completed() && last.ResumeAt != nil {
		return time.Until(last.ResumeAt.Time), nil
	}
	if last.Phase == argo.AnalysisPhaseError || metric.Interval == "" {
		return errorRetry, nil
	}
	return metric.Interval.Duration()
}
