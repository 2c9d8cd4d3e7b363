package health

import "github.com/calldata/calldata-foundation/stacks"

// units are the systemd units that a role needs.
type units struct {
	// always have to be active.
	always []string
	// unlessDisabled have to be active too, except while disabledFlag exists.
	unlessDisabled []string
}

// disabledFlag exists while a Wazo engine is stopped on purpose: on the standby of a pair, and during an upgrade. Its
// telephony units have ConditionPathExists=!/var/lib/wazo/disabled.
const disabledFlag = "/var/lib/wazo/disabled"

// unitsOf lists the units of a role. The lists for the UC Engine are those of wazo-service (wazo-platform/wazo-service,
// bin/wazo-service), with the name that PostgreSQL has on Debian 12.
func unitsOf(role stacks.Role) units {
	switch role {
	case stacks.RoleC4Router:
		return units{always: []string{"kamailio.service"}}
	case stacks.RoleC4SBC:
		return units{always: []string{"kamailio.service", "rtpengine-daemon.service"}}
	case stacks.RolePrometheus:
		return units{always: []string{"prometheus.service", "prometheus-alertmanager.service"}}
	}
	return units{
		always: []string{
			"nginx.service", "postgresql@15-main.service", "rabbitmq-server.service",
			"wazo-auth.service", "wazo-chatd.service", "wazo-confd.service", "wazo-confgend.service", "wazo-dird.service",
			"wazo-plugind.service", "wazo-sysconfd.service", "wazo-webhookd.service",
		},
		unlessDisabled: []string{
			"asterisk.service", "wazo-agentd.service", "wazo-agid.service", "wazo-amid.service", "wazo-call-logd.service",
			"wazo-calld.service", "wazo-dxtora.service", "wazo-phoned.service", "wazo-provd.service",
			"wazo-websocketd.service",
		},
	}
}
