package rds

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/calldata/calldata-foundation/components/rds/connections"
)

// parameters are the settings in which we differ from RDS, or rely on it.
func parameters(routers int) rds.ParameterGroupParameterArray {
	set := func(name, value string) rds.ParameterGroupParameterInput {
		return rds.ParameterGroupParameterArgs{Name: pulumi.String(name), Value: pulumi.String(value)}
	}
	// Static parameters count from the next restart.
	static := func(name, value string) rds.ParameterGroupParameterInput {
		return rds.ParameterGroupParameterArgs{Name: pulumi.String(name), Value: pulumi.String(value), ApplyMethod: pulumi.String("pending-reboot")}
	}
	return rds.ParameterGroupParameterArray{
		static("max_connections", strconv.Itoa(connections.Max(routers))),
		set("rds.force_ssl", "1"),
		set("password_encryption", "scram-sha-256"),
		set("rds.accepted_password_auth_method", "scram"),
		set("log_connections", "1"),
		set("log_disconnections", "1"),
		set("log_lock_waits", "1"),
		// Data definition only: statements that change data hold telephone numbers.
		set("log_statement", "ddl"),
		// Half a second is past what a call setup can wait for its route: SIP retransmits an INVITE after that time (RFC
		// 3261, 17.1.1.1, T1).
		set("log_min_duration_statement", "500"),
		// A transaction that somebody left open keeps rows locked and tables from being cleaned; a minute is long for ours.
		set("idle_in_transaction_session_timeout", "60000"),
	}
}
