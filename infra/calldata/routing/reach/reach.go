// Package reach opens the Routers' database from where the operator is. It listens to Routers alone, so the way leads over SSH
// through one of them: a fixed machine of the stack, or a running one of its fleet.
package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// Name is the database's name, c4_router_database_name of the role c4_router.
const Name = "c4"

// socket is PostgreSQL's on a Router that has the database itself. Source: Debian's postgresql-common, unix_socket_directories.
const socket = "/var/run/postgresql/.s.PGSQL.5432"

// Way is a way to a stack's database.
type Way struct {
	Stack  stacks.Outputs
	Getenv func(string) string
	// Port is that of the machines' SSH servers, default 22.
	Port int
}

// Open answers how to connect to the database, and a function that ends the way. With RDS, user and password come from
// Secrets Manager, by the operator's AWS credentials; with PostgreSQL on the Router, its own login of that machine counts. What is
// wrong with the stack or the environment is a usage error (cli.ExitUsage), a Router that does not answer cli.ExitUnreachable.
func (w Way) Open(ctx context.Context) (*pgx.ConnConfig, func(), error) {
	routers, err := w.routers(ctx)
	if err != nil {
		return nil, nil, err
	}
	config, command, err := w.database(ctx)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for _, router := range routers {
		client, closed, err := login.To(ctx, w.Stack, router, w.Getenv, w.Port)
		if err != nil {
			errs = append(errs, fmt.Errorf("Router %s: %w", router.Name, err)) //nolint:staticcheck // a name
			if ctx.Err() != nil || cli.Code(err) == cli.ExitUsage || cli.Code(err) == cli.ExitPreflight {
				return nil, nil, err
			}
			continue
		}
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return through(client, command) }
		// Names are for the Router to resolve.
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		return config, closed, nil
	}
	return nil, nil, cli.WithCode(cli.ExitUnreachable, errors.Join(errs...))
}

// database answers how to log in, and the command that joins a Router's standard input and output to the database.
func (w Way) database(ctx context.Context) (*pgx.ConnConfig, string, error) {
	db := w.Stack.Database
	if db == nil {
		config, err := pgx.ParseConfig("postgres://postgres@localhost/" + Name + "?sslmode=disable")
		return config, "sudo -n -u postgres " + bridge("AF_UNIX", fmt.Sprintf("%q", socket)), err
	}
	if !hostForm.MatchString(db.Host) || db.Port < 1 || db.Port > 65535 {
		return nil, "", cli.UsageErrorf("stack output database is %s:%d, want a host and a port", db.Host, db.Port)
	}
	user, password, err := w.secret(ctx, db.SecretARN)
	if err != nil {
		return nil, "", err
	}
	// As the Routers do: encrypted, and the VPC tells that it is the right server.
	config, err := pgx.ParseConfig("postgres://" + net.JoinHostPort(db.Host, strconv.Itoa(db.Port)) + "/" + Name + "?sslmode=require")
	if err != nil {
		return nil, "", err
	}
	config.User, config.Password = user, password
	return config, bridge("AF_INET", fmt.Sprintf("(%q, %d)", db.Host, db.Port)), nil
}
