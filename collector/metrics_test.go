package collector

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"procmon"
)

// Losses are counted by reason and place, those of unknown number apart.
func TestMetricsOfLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		for _, l := range []procmon.Loss{
			{Count: 5, Reason: procmon.LossRing, Where: "bpf"}, {Count: 2, CPU: 1, Reason: procmon.LossRing, Where: "bpf"},
			{Count: 1, Reason: procmon.LossForeign, Where: "bpf"}, {Reason: procmon.LossUsage, Where: "taskstats"},
		} {
			w.c.emit(&procmon.Event{Kind: procmon.EventLost, Loss: &l})
		}
		w.flush()
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(w.c)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += "," + l.GetValue()
				}
				got[name] = m.GetCounter().GetValue()
			}
		}
		for name, want := range map[string]float64{
			"procmon_lost_events_total,ring full,bpf": 7, "procmon_lost_events_total,not from kernel,bpf": 1, "procmon_lost_gaps_total,ring full,bpf": 0,
			"procmon_lost_gaps_total,usage lost,taskstats": 1, "procmon_lost_total": 7, "procmon_gaps_total": 1,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// After a loss of what tells that runs begin and end, what is alive is looked for.
func TestLossesThatAskForACensus(t *testing.T) {
	for reason, want := range map[string]bool{
		procmon.LossBuffer: true, procmon.LossRing: true, procmon.LossMissed: true, procmon.LossQueue: true,
		procmon.LossVanished: false, procmon.LossUsage: false, procmon.LossForeign: false, procmon.LossSink: false, procmon.LossStuck: false,
	} {
		if asksForCensus(reason) != want {
			t.Errorf("%s: %v", strings.ToUpper(reason), !want)
		}
	}
}
