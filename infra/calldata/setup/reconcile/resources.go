package reconcile

// What the engine answers, as far as it is compared. Source: wazo-confd's and wazo-auth's API references.

type tenantItem struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
	Slug string `json:"slug"`
}

type contextItem struct {
	ID           int         `json:"id"`
	Name         string      `json:"name"`
	Label        string      `json:"label"`
	Type         string      `json:"type"`
	UserRanges   []rangeItem `json:"user_ranges"`
	IncallRanges []rangeItem `json:"incall_ranges"`
	Contexts     []idItem    `json:"contexts"`
}

type rangeItem struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type idItem struct {
	ID int `json:"id"`
}

type userItem struct {
	ID               int        `json:"id"`
	UUID             string     `json:"uuid"`
	FirstName        string     `json:"firstname"`
	LastName         string     `json:"lastname"`
	Email            string     `json:"email"`
	RingSeconds      int        `json:"ring_seconds"`
	OutgoingCallerID string     `json:"outgoing_caller_id"`
	Lines            []lineItem `json:"lines"`
}

type lineItem struct {
	ID         int             `json:"id"`
	Context    string          `json:"context"`
	Endpoint   *endpointItem   `json:"endpoint_sip"`
	Extensions []extensionItem `json:"extensions"`
}

type extensionItem struct {
	ID      int    `json:"id"`
	Exten   string `json:"exten"`
	Context string `json:"context"`
	// Of an outcall's extension.
	Strip    int    `json:"strip_digits"`
	Prefix   string `json:"prefix"`
	CallerID string `json:"caller_id"`
}

type endpointItem struct {
	UUID     string      `json:"uuid"`
	Name     string      `json:"name"`
	Auth     [][2]string `json:"auth_section_options"`
	AOR      [][2]string `json:"aor_section_options"`
	Identify [][2]string `json:"identify_section_options"`
}

type trunkItem struct {
	ID       int           `json:"id"`
	Context  string        `json:"context"`
	Endpoint *endpointItem `json:"endpoint_sip"`
}

type incallItem struct {
	ID          int             `json:"id"`
	Destination map[string]any  `json:"destination"`
	Extensions  []extensionItem `json:"extensions"`
}

type outcallItem struct {
	ID         int             `json:"id"`
	Name       string          `json:"name"`
	Trunks     []idItem        `json:"trunks"`
	Extensions []extensionItem `json:"extensions"`
}

// option answers all values of a PJSIP option.
func option(options [][2]string, name string) []string {
	var out []string
	for _, pair := range options {
		if pair[0] == name {
			out = append(out, pair[1])
		}
	}
	return out
}

// with replaces all values of a PJSIP option and keeps the others.
func with(options [][2]string, name string, values ...string) [][2]string {
	out := [][2]string{}
	for _, pair := range options {
		if pair[0] != name {
			out = append(out, pair)
		}
	}
	for _, value := range values {
		out = append(out, [2]string{name, value})
	}
	return out
}
