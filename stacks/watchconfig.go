package stacks

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/components/observability/alarms"
)

// WatchConfig is who hears what of a stack.
type WatchConfig struct {
	// Level is how much is told (alarms); empty is nothing.
	Level alarms.Level
	// PagerURL takes pages (pagerUrl). It is a secret.
	PagerURL string
	// Hours are those in which business is done (businessHours); nil is not known.
	Hours *alarms.Hours
	// Dashboards says whether they are made, too (dashboards).
	Dashboards bool
}

// noAlarms is the value of alarms for a stack that tells nothing.
const noAlarms = "none"

func readWatch(r *reader) WatchConfig {
	level := r.text("alarms", string(r.defaults.alarms))
	w := WatchConfig{Level: alarms.Level(level), PagerURL: r.text("pagerUrl", ""), Hours: readHours(r), Dashboards: r.choice("dashboards", r.defaults.dashboards)}
	if level == noAlarms {
		w.Level = ""
	} else if w.Level != "" && !slices.Contains(alarms.Levels(), w.Level) {
		r.fail("alarms", level, fmt.Sprintf("want %s or one of %v", noAlarms, alarms.Levels()), r.set("alarms", string(alarms.Notices)))
	}
	if w.Level == "" && r.text("dashboards", "") == "true" {
		r.fail("dashboards", "true", "they show what alarms watch, and the stack has no alarms", r.set("alarms", string(alarms.Few)))
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
	t.Alarms = &AlarmsSpec{Level: c.Watch.Level, Emails: c.Account.AlertEmails, PagerURL: c.Watch.PagerURL, Hours: c.Watch.Hours, Dashboards: c.Watch.Dashboards, Runbook: runbook(c.Account.Repository)}
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
