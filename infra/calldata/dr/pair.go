package dr

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/login"
	"github.com/calldata/calldata-foundation/stacks"
)

// Pair is what a master says of the copy that it makes of itself every hour.
type Pair struct {
	// Master is the engine that makes it.
	Master string
	// Begun is when the last copy was begun. Zero where none was since the machine was started.
	Begun time.Time
	// Left says that the last copy has not ended, or has failed.
	Left bool
}

// lookAtPair prints nothing on an engine that copies itself to none. A master's script dumps its database first; the two other files it
// removes when the other engine has the same data, and leaves behind when not. A dump without pg_dump's last comment is being made, or has
// failed.
// Source: wazo-platform/xivo-config, sbin/xivo-master-slave-db-replication; wazo-platform/wazo-sysconfd, plugins/ha_config; PostgreSQL,
// src/bin/pg_dump/pg_backup_archiver.c, RestoreArchive.
const lookAtPair = `sudo -n sh -c 'cd /tmp && test -e /etc/cron.d/xivo-ha-master || exit 0
dump=out_master_backup.sql
echo $(stat -c %Y $dump 2>/dev/null || echo 0) $({
  ls replication.sql out_slave_check.sql 2>/dev/null
  test ! -e $dump || tail -c 512 $dump | grep -qxe "-- PostgreSQL database dump complete" || echo $dump
} | wc -l)'`

// paired asks the engines until one says that it is a master. Nil is that none is.
func (o *Options) paired(ctx context.Context, stack stacks.Outputs, engines []stacks.Node) (*Pair, error) {
	var errs []error
	for _, n := range engines {
		p, err := o.pair(ctx, o.IO, n, stack)
		if p != nil {
			return p, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func askPair(ctx context.Context, streams *cli.IO, n stacks.Node, stack stacks.Outputs) (*Pair, error) {
	client, closed, err := login.To(ctx, stack, n, streams.Getenv, 0)
	if err != nil {
		if err = fmt.Errorf("%s: %w", n.Name, err); cli.Code(err) == cli.ExitError {
			err = cli.WithCode(cli.ExitUnreachable, err)
		}
		return nil, err
	}
	defer closed()
	return pairOf(ctx, client, n.Name)
}

func pairOf(ctx context.Context, client *ssh.Client, name string) (*Pair, error) {
	out, err := login.Output(ctx, client, lookAtPair)
	if err != nil {
		return nil, cli.WithCode(cli.ExitUnreachable, fmt.Errorf("%s: ask for the copy of its data: %w", name, err))
	}
	return parsePair(name, out)
}

func parsePair(name, text string) (*Pair, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, nil //nolint:nilnil // it is no master
	}
	p := &Pair{Master: name}
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || len(words) != 2 {
		return nil, fmt.Errorf("%s says %q of the copy of its data, want a time and a number", name, text)
	}
	if seconds > 0 {
		p.Begun = time.Unix(seconds, 0)
	}
	p.Left = words[1] != "0"
	return p, nil
}
