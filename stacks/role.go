package stacks

// Role is what a machine does in the platform. Ansible groups, security groups and tags are named after it.
type Role string

const (
	// RoleUCEngine is Wazo's UC Engine: Asterisk, its APIs, their PostgreSQL and the web server.
	RoleUCEngine Role = "uc-engine"
)

// AllRoles lists every role in a fixed order.
func AllRoles() []Role { return []Role{RoleUCEngine} }

// Valid reports whether r is a role that this program knows.
func (r Role) Valid() bool {
	for _, known := range AllRoles() {
		if r == known {
			return true
		}
	}
	return false
}
