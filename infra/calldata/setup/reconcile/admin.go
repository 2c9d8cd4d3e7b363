package reconcile

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/change"
	"github.com/calldata/calldata-foundation/infra/calldata/wazo"
)

// account is a user or a policy of wazo-auth.
type account struct {
	UUID     string `json:"uuid"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Tenant   string `json:"tenant_uuid"`
}

// adminACL is what an administrator may do, within the tenant. Source: the names of Wazo's access rules, service.resource.action.
var adminACL = []string{"agentd.#", "auth.#", "call-logd.#", "calld.#", "confd.#", "dird.#", "provd.#", "webhookd.#"}

// admin makes the administrator and a policy for it.
func (s *site) admin(ctx context.Context, configured bool) error {
	want := s.want.Admin
	if want == nil {
		return nil
	}
	policyName := "calldata-admin-" + s.want.Slug
	var user, policy account
	held := false
	if configured {
		var err error
		if user, policy, held, err = s.findAdmin(ctx, want.Username, policyName); err != nil {
			return err
		}
	}
	if user.UUID != "" && user.Tenant != s.tenant.UUID {
		return fmt.Errorf("tenant %s: admin.username is %q, which a user of another tenant has: user names are unique in the engine", s.want.Slug, want.Username)
	}
	if user.UUID == "" {
		s.add(change.Create, "admin", want.Username, nil, func(ctx context.Context) error {
			body := map[string]string{"username": want.Username, "password": s.in.Secrets[string(want.Password)], "purpose": "user"}
			return s.engine.Post(ctx, wazo.Auth+"/users", body, &user)
		})
	}
	if policy.UUID == "" {
		s.add(change.Create, "policy", policyName, nil, func(ctx context.Context) error {
			return s.engine.Post(ctx, wazo.Auth+"/policies", map[string]any{"name": policyName, "acl": adminACL}, &policy)
		})
	}
	if !held {
		s.add(change.Update, "admin", want.Username, []change.Field{{Name: "policy", Before: "", After: policyName}}, func(ctx context.Context) error {
			return s.engine.Put(ctx, wazo.Auth+"/users/"+user.UUID+"/policies/"+policy.UUID, nil)
		})
	}
	return nil
}

func (s *site) findAdmin(ctx context.Context, username, policyName string) (user, policy account, held bool, err error) {
	everywhere := func(text string) url.Values { return url.Values{"search": {text}, "recurse": {"true"}} }
	users, err := wazo.List[account](ctx, s.in.Engine, wazo.Auth+"/users", everywhere(username))
	if err != nil {
		return user, policy, false, err
	}
	if i := slices.IndexFunc(users, func(a account) bool { return a.Username == username }); i >= 0 {
		user = users[i]
	}
	policies, err := wazo.List[account](ctx, s.in.Engine, wazo.Auth+"/policies", everywhere(policyName))
	if err != nil {
		return user, policy, false, err
	}
	named := func(a account) bool { return a.Name == policyName }
	if i := slices.IndexFunc(policies, named); i >= 0 {
		policy = policies[i]
	}
	if user.UUID == "" {
		return user, policy, false, nil
	}
	own, err := wazo.List[account](ctx, s.in.Engine, wazo.Auth+"/users/"+user.UUID+"/policies", nil)
	return user, policy, slices.ContainsFunc(own, named), err
}
