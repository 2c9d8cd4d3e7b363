package github

import (
	"context"
	"net/http"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/mend"
)

// inspectVariables compares the repository's variables.
func (f *forge) inspectVariables(ctx context.Context) ([]mend.Setting, error) {
	var settings []mend.Setting
	for _, v := range f.variables {
		endpoint := f.path("/actions/variables/%s", v.name)
		var has struct{ Value string }
		there, err := f.get(ctx, endpoint, &has)
		if err != nil {
			return nil, err
		}
		s := mend.Setting{Resource: "variables", Name: v.name, Found: has.Value, Want: v.value, Missing: !there}
		body := map[string]any{"name": v.name, "value": v.value}
		switch {
		case !there:
			s.Mend = func(ctx context.Context) error {
				return f.call(ctx, http.MethodPost, f.path("/actions/variables"), body, nil)
			}
		case has.Value != v.value:
			s.Mend = func(ctx context.Context) error { return f.call(ctx, http.MethodPatch, endpoint, body, nil) }
		}
		settings = append(settings, s)
	}
	return settings, nil
}
