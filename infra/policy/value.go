package policy

import "strings"

// value is a property, or a part of one. What is unknown or secret may be anything: the questions that begin with "may"
// are answered with yes.
type value struct{ v any }

// get answers the property at path.
func (r Resource) get(path ...string) value { return value{r.Props}.get(path...) }

// get descends along path. A list of one element counts as that element: the provider's schema and its SDK do not agree
// everywhere on which blocks are lists.
func (v value) get(path ...string) value {
	for _, key := range path {
		if list, ok := v.v.([]any); ok && len(list) == 1 {
			v = value{list[0]}
		}
		switch at := v.v.(type) {
		case map[string]any:
			v = value{at[key]}
		case Unknown, Secret:
			return v
		default:
			return value{}
		}
	}
	return v
}

// opaque reports whether the value cannot be seen.
func (v value) opaque() bool {
	switch v.v.(type) {
	case Unknown, Secret:
		return true
	}
	return false
}

// secret reports whether Pulumi keeps the value, or a part of it, secret.
func (v value) secret() bool {
	switch at := v.v.(type) {
	case Secret:
		return true
	case []any:
		for _, item := range at {
			if (value{item}).secret() {
				return true
			}
		}
	case map[string]any:
		for _, item := range at {
			if (value{item}).secret() {
				return true
			}
		}
	}
	return false
}

// missing reports whether the value is not set, or set to nothing.
func (v value) missing() bool {
	switch at := v.v.(type) {
	case nil:
		return true
	case string:
		return at == ""
	case []any:
		return len(at) == 0
	case map[string]any:
		return len(at) == 0
	}
	return false
}

// text is the value as text, and whether it is one that can be seen.
func (v value) text() (string, bool) {
	switch at := v.v.(type) {
	case string:
		return at, true
	case bool:
		if at {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// number is the value as a number, and whether it is one that can be seen.
func (v value) number() (float64, bool) {
	n, ok := v.v.(float64)
	return n, ok
}

// mayBe reports whether the value is, or could be, one of texts; case does not count.
func (v value) mayBe(texts ...string) bool {
	if v.opaque() {
		return true
	}
	text, ok := v.text()
	for _, want := range texts {
		if ok && strings.EqualFold(text, want) {
			return true
		}
	}
	return false
}

// is reports whether the value is known to be one of texts; case does not count.
func (v value) is(texts ...string) bool { return !v.opaque() && v.mayBe(texts...) }

// mayBeTrue reports whether the value is, or could be, true. Some properties are the text "true".
func (v value) mayBeTrue() bool { return v.mayBe("true") }

// isTrue and isFalse report what the value is known to be.
func (v value) isTrue() bool  { return v.is("true") }
func (v value) isFalse() bool { return v.is("false") }

// mayBeAtLeast reports whether the value is, or could be, a number of at least low.
func (v value) mayBeAtLeast(low float64) bool {
	n, ok := v.number()
	return v.opaque() || ok && n >= low
}

// mayBeCustomerKey reports whether the value is, or could be, a KMS key of the account's owner, and not one that AWS
// keeps for everybody's service.
func (v value) mayBeCustomerKey() bool {
	text, _ := v.text()
	return !v.missing() && !strings.Contains(text, "alias/aws/")
}

// list are the elements of the value; one that is no list is its own only element, one that cannot be seen has none.
func (v value) list() []value {
	if v.opaque() || v.v == nil {
		return nil
	}
	items, ok := v.v.([]any)
	if !ok {
		return []value{v}
	}
	list := make([]value, len(items))
	for i, item := range items {
		list[i] = value{item}
	}
	return list
}

// texts are all texts in the value, at whatever depth. Complete is false when a part of it cannot be seen.
func (v value) texts() (texts []string, complete bool) {
	switch at := v.v.(type) {
	case Unknown, Secret:
		return nil, false
	case string:
		return []string{at}, true
	case []any:
		complete = true
		for _, item := range at {
			more, all := value{item}.texts()
			texts, complete = append(texts, more...), complete && all
		}
		return texts, complete
	case map[string]any:
		complete = true
		for _, item := range at {
			more, all := value{item}.texts()
			texts, complete = append(texts, more...), complete && all
		}
		return texts, complete
	}
	return nil, true
}
