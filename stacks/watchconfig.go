package stacks

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/components/notices"
	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// WatchConfig is who hears what of a stack.
type WatchConfig struct {
	// Level is how much is told (alarms); empty is nothing.
	Level alarms.Level
	// PagerURL takes pages (pagerUrl). It is a secret.
	PagerURL string
	// Slack is the channel that hears of everything (slackChannel); the zero value is none.
	Slack notices.Slack
	// Hours are those in which business is done (businessHours); nil is not known.
	Hours *alarms.Hours
	// Dashboards says whether they are made, too (dashboards).
	Dashboards bool
	// Outside says that somebody calls the stack from outside, and is heard of (syntheticCalls).
	Outside bool
}

// noAlarms is the value of alarms for a stack that tells nothing.
const noAlarms = "none"

// readWatch takes whether phones reach the stack.
func readWatch(r *reader, phones bool) WatchConfig {
	level := r.text("alarms", string(r.defaults.alarms))
	w := WatchConfig{Level: alarms.Level(level), PagerURL: r.text("pagerUrl", ""), Hours: readHours(r), Dashboards: r.choice("dashboards", r.defaults.dashboards), Outside: r.flag("syntheticCalls", false)}
	if level == noAlarms {
		w.Level = ""
	} else if w.Level != "" && !slices.Contains(alarms.Levels(), w.Level) {
		r.fail("alarms", level, fmt.Sprintf("want %s or one of %v", noAlarms, alarms.Levels()), r.set("alarms", string(alarms.Notices)))
	}
	if w.Level == "" && r.text("dashboards", "") == "true" {
		r.fail("dashboards", "true", "they show what alarms watch, and the stack has no alarms", r.set("alarms", string(alarms.Few)))
	}
	if w.Level == "" && w.Outside {
		r.fail("syntheticCalls", "true", "the stack has no alarms", r.set("alarms", string(alarms.Few)))
	}
	if w.Outside && !phones {
		r.fail("syntheticCalls", "true", "they come as a phone's, and no phone reaches the stack", r.setItem("sipEdges", string(EdgePhones)))
	}
	if text := r.text("slackChannel", ""); text != "" {
		const example = "T07EA123LEP/C07EZ1ABC23"
		var err error
		if w.Slack, err = notices.ParseSlack(text); err != nil {
			r.fail("slackChannel", text, "want WORKSPACE/CHANNEL in Slack's IDs, the end of the channel's link", r.set("slackChannel", example))
		}
		if w.Level == "" {
			r.fail("slackChannel", text, "the stack has no alarms", r.set("alarms", string(alarms.Few)))
		}
	}
	if w.PagerURL != "" {
		set := fmt.Sprintf("pulumi config set --secret %s -s %s", fullKey("pagerUrl"), r.stack) // asks for the value
		if u, err := url.Parse(w.PagerURL); w.PagerURL != Secret && (err != nil || u.Scheme != "https" || u.Host == "") {
			r.fail("pagerUrl", Secret, "want https://HOST/PATH, an endpoint of PagerDuty or Opsgenie", set)
		}
		if w.Level != alarms.Pages {
			r.fail("pagerUrl", Secret, fmt.Sprintf("the stack's alarms are %q, which call nobody", level), r.set("alarms", string(alarms.Pages)))
		}
	}
	return w
}

// readHours takes "8-18".
func readHours(r *reader) *alarms.Hours {
	text := r.text("businessHours", "")
	if text == "" {
		return nil
	}
	first, second, _ := strings.Cut(text, "-")
	from, err1 := strconv.Atoi(first)
	until, err2 := strconv.Atoi(second)
	if err1 != nil || err2 != nil || from < 0 || from >= until || until > 24 {
		r.fail("businessHours", text, "want two hours of one day in UTC, like 8-18", r.set("businessHours", "8-18"))
		return nil
	}
	return &alarms.Hours{From: from, Until: until}
}

// watch gives a stack its alarms, and the key of the topics that they are told to.
func watch(t *Topology, c Config) {
	if c.Watch.Level == "" {
		return
	}
	t.Alarms = &AlarmsSpec{Level: c.Watch.Level, Emails: c.Account.AlertEmails, PagerURL: c.Watch.PagerURL, Slack: c.Watch.Slack, Hours: c.Watch.Hours, Dashboards: c.Watch.Dashboards, Outside: c.Watch.Outside, Runbook: runbook(c.Account.Repository)}
	t.Keys = append(t.Keys, KeyNotices)
}

// runbook is the address of the runbook in a repository at GitHub; empty where none is known.
func runbook(repository string) string {
	if repository == "" {
		return ""
	}
	page, _, _ := strings.Cut(alarms.Runbook, "#")
	return "https://github.com/" + repository + "/blob/HEAD/" + page
}
