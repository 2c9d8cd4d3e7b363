package stacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// reader takes typed values out of settings and keeps every error, so that one run shows all of them.
type reader struct {
	stack    string
	settings Settings
	defaults defaults
	known    map[string]bool
	errs     []error
}

// fail records that the setting called name has a problem, and the command that mends it. The value is printed as it
// stands, so it must not be one that may be secret.
func (r *reader) fail(name, value, problem, fix string) {
	shown := fmt.Sprintf("is %q", value)
	if value == "" {
		shown = "is not set"
	}
	r.errs = append(r.errs, fmt.Errorf("%s %s: %s; fix it with: %s", fullKey(name), shown, problem, fix))
}

// set is the command that gives the setting called name an example value.
func (r *reader) set(name, example string) string {
	return fmt.Sprintf("pulumi config set %s %s -s %s", fullKey(name), example, r.stack)
}

// setPath is the command that gives the item at a place in a list an example value.
func (r *reader) setPath(at, example string) string {
	return fmt.Sprintf("pulumi config set --path '%s' %s -s %s", fullKey(at), example, r.stack)
}

// unsetPath is the command that takes the item at a place out of a list.
func (r *reader) unsetPath(at string) string {
	return fmt.Sprintf("pulumi config rm --path '%s' -s %s", fullKey(at), r.stack)
}

// setItem is the command that gives the first item of a list an example value.
func (r *reader) setItem(name, example string) string { return r.setPath(name+"[0]", example) }

// tiers are the kinds of subnets that the topology has.
func (r *reader) tiers() []string {
	if r.defaults.nat == NatNone || r.defaults.nat == "" {
		return []string{TierPublic}
	}
	return []string{TierPublic, TierPrivate, TierIntra}
}

// text is the value of a setting, or fallback where it is unset or empty.
func (r *reader) text(name, fallback string) string {
	key := fullKey(name)
	r.known[key] = true
	if v, ok := r.settings.Get(key); ok && strings.TrimSpace(v) != "" {
		return strings.TrimSpace(v)
	}
	return fallback
}

// number is a whole number from low to high.
func (r *reader) number(name string, fallback, low, high int) int {
	text := r.text(name, strconv.Itoa(fallback))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		r.fail(name, text, fmt.Sprintf("want a whole number from %d to %d", low, high), r.set(name, strconv.Itoa(fallback)))
	}
	return n
}

// version is the only version that there can be, for a reason.
func (r *reader) version(name string, only int, reason string) int {
	text := r.text(name, strconv.Itoa(only))
	if text != strconv.Itoa(only) {
		r.fail(name, text, fmt.Sprintf("want %d: %s", only, reason), r.set(name, strconv.Itoa(only)))
	}
	return only
}

// sized is a whole number from low to high, where 0 or nothing leaves it to the topology's own.
func (r *reader) sized(name string, fallback, low, high int) int {
	text := r.text(name, "0")
	if text == "0" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		r.fail(name, text, fmt.Sprintf("want a whole number from %d to %d, or 0 for the topology's own, which is %d", low, high, fallback), r.set(name, strconv.Itoa(low)))
	}
	return n
}

// oneOf is a whole number out of a fixed list, where 0 or nothing leaves it to the topology's own.
func (r *reader) oneOf(name string, fallback int, allowed []int) int {
	text := r.text(name, "0")
	if text == "0" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(allowed, n) {
		r.fail(name, text, fmt.Sprintf("want one of %v", allowed), r.set(name, strconv.Itoa(fallback)))
	}
	return n
}

// flag is true or false.
func (r *reader) flag(name string, fallback bool) bool {
	text := r.text(name, strconv.FormatBool(fallback))
	if text != "true" && text != "false" {
		r.fail(name, text, "want true or false", r.set(name, strconv.FormatBool(fallback)))
	}
	return text == "true"
}

// choice is true or false, where nothing leaves it to the topology's own.
func (r *reader) choice(name string, fallback bool) bool {
	text := r.text(name, "")
	switch text {
	case "":
		return fallback
	case "true", "false":
		return text == "true"
	}
	r.fail(name, text, fmt.Sprintf("want true, false, or nothing for the topology's own, which is %t", fallback), r.set(name, "true"))
	return fallback
}

// list is a list of texts, nil where it is unset, empty or malformed.
func (r *reader) list(name, example string) []string {
	text := r.text(name, "")
	if text == "" {
		return nil
	}
	var items []string
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		r.fail(name, text, "want a list", fmt.Sprintf("pulumi config rm %s -s %s && %s", fullKey(name), r.stack, r.setItem(name, example)))
		return nil
	}
	if len(items) == 0 {
		return nil
	}
	return items
}

// ranges is a list of IPv4 ranges without repeats. A nil fallback says that at least one is needed. check says what else
// keeps one from being right.
func (r *reader) ranges(name string, fallback []netip.Prefix, example string, check func(netip.Prefix) error) []netip.Prefix {
	before := len(r.errs)
	items := r.list(name, example)
	if len(items) == 0 {
		if len(r.errs) == before && fallback == nil {
			r.fail(name, "", "at least one range is needed", r.setItem(name, example))
		}
		return fallback
	}
	var out []netip.Prefix
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", name, i)
		p, err := parseRange(item)
		if err == nil && slices.Contains(out, p) {
			err = errors.New("an earlier item is the same")
		}
		if err == nil {
			err = check(p)
		}
		if err != nil {
			r.fail(at, item, err.Error(), r.setPath(at, example))
			continue
		}
		out = append(out, p)
	}
	return out
}

func parseRange(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		if a, addrErr := netip.ParseAddr(text); addrErr == nil {
			return p, fmt.Errorf("that is an address without a size, write %s/%d", a, a.BitLen())
		}
		return p, errors.New("that is not an IP range like 203.0.113.7/32")
	case p.Bits() > 0 && !p.Addr().Is4():
		return p, errors.New("that is IPv6, and the network has IPv4 only: such a rule could never match")
	case p.Masked() != p:
		return p, fmt.Errorf("that has host bits set, write %s, or %s/%d for that one address", p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

// unknown records every setting of ours that nothing has asked for.
func (r *reader) unknown() {
	var names []string
	for key := range r.known {
		if name, ours := strings.CutPrefix(key, Project+":"); ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, key := range r.settings.Keys() {
		if strings.HasPrefix(key, Project+":") && !r.known[key] {
			r.errs = append(r.errs, fmt.Errorf("%s is not a setting of this project, which has %s; fix it with: pulumi config rm %s -s %s",
				key, strings.Join(names, ", "), key, r.stack))
		}
	}
}

func fullKey(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return Project + ":" + name
}
