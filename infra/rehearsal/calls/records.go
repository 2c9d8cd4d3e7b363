package calls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/calldata/calldata-foundation/infra/calldata/cli/private"
)

// recordTime is how long the Routers may take to write what they know: they write every second.
const recordTime = 10 * time.Second

// leg is one pass of a call through a Router, which makes one record.
type leg struct {
	direction string // in, out, internal
	// codes are those that the record may have.
	codes []int
	// by is who ended an answered call: caller, callee; empty for others.
	by string
	// called is the number in E.164 digits; empty is any.
	called string
}

// String is "in call to 14155550100, 200, ended by caller".
func (l leg) String() string {
	text := l.direction + " call"
	if l.called != "" {
		text += " to " + l.called
	}
	text += ", " + join(l.codes)
	if l.by != "" {
		text += ", ended by " + l.by
	}
	return text
}

// matches tells whether a record is this leg's.
func (l leg) matches(r leg) bool {
	return l.direction == r.direction && l.by == r.by && slices.Contains(l.codes, r.codes[0]) && (l.called == "" || l.called == r.called)
}

// expect notes which records a call has to leave, when the scenario has passed so far.
func (t *Trial) expect(legs ...leg) {
	t.step("the call is noted", func(context.Context) error {
		t.expected = append(t.expected, legs...)
		return nil
	})
}

func digits(number string) string { return strings.TrimPrefix(number, "+") }

// compare pairs expected legs with records, the most particular first. It answers what is missing and what nobody made.
func compare(expected, found []leg) (missing, extra []leg) {
	expected, extra = slices.Clone(expected), slices.Clone(found)
	slices.SortStableFunc(expected, func(a, b leg) int {
		particular := func(l leg) int {
			n := len(l.codes)
			if l.called == "" {
				n += 100
			}
			return n
		}
		return particular(a) - particular(b)
	})
	for _, want := range expected {
		if i := slices.IndexFunc(extra, want.matches); i >= 0 {
			extra = slices.Delete(extra, i, i+1)
		} else {
			missing = append(missing, want)
		}
	}
	return missing, extra
}

// recordsScenario compares the Routers' records with the calls of all scenarios before it.
func recordsScenario() Scenario {
	return Scenario{
		Group: GroupRecords, Name: "one record for each leg of each call",
		Skip: func(p Plan) string {
			if p.DatabaseURLFile == "" {
				return "the plan names no database"
			}
			return ""
		},
		Run: func(t *Trial) {
			t.step("records are equal to the calls made", func(ctx context.Context) error {
				db, err := openDatabase(ctx, t.plan.DatabaseURLFile)
				if err != nil {
					return err
				}
				defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
				missing, extra, err := settle(ctx, db, t.begin, t.expected)
				t.figure("expected", float64(len(t.expected)), "records")
				t.figure("missing", float64(len(missing)), "records")
				t.figure("without a call", float64(len(extra)), "records")
				if err == nil && len(missing)+len(extra) > 0 {
					err = fmt.Errorf("missing: %v; without a call: %v", missing, extra)
				}
				return err
			})
		},
	}
}

// settle reads until all is there, or time is up.
func settle(ctx context.Context, db *pgx.Conn, since time.Time, expected []leg) (missing, extra []leg, err error) {
	for end := time.Now().Add(recordTime); ; {
		found, err := records(ctx, db, since)
		if err != nil {
			return nil, nil, err
		}
		missing, extra = compare(expected, found)
		if len(missing)+len(extra) == 0 || time.Now().After(end) {
			return missing, extra, nil
		}
		select {
		case <-ctx.Done():
			return missing, extra, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func records(ctx context.Context, db *pgx.Conn, since time.Time) ([]leg, error) {
	rows, err := db.Query(ctx, "SELECT direction, code, coalesce(ended_by, ''), called FROM cdr WHERE started_at >= $1", since)
	if err != nil {
		return nil, fmt.Errorf("read the records: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (leg, error) {
		l := leg{codes: make([]int, 1)}
		err := row.Scan(&l.direction, &l.codes[0], &l.by, &l.called)
		l.called = digits(l.called)
		return l, err
	})
}

// openDatabase connects by the URL in a file. The password is in no error.
func openDatabase(ctx context.Context, file string) (*pgx.Conn, error) {
	if err := private.Check(file); err != nil {
		return nil, fmt.Errorf("databaseUrlFile: %w", err)
	}
	url, err := os.ReadFile(file) //nolint:gosec // the plan names the file
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(strings.TrimSpace(string(url)))
	if err != nil {
		return nil, errors.New("databaseUrlFile: want a URL of the form postgres://user:password@host:port/c4")
	}
	config.RuntimeParams["application_name"] = "calldata calls"
	db, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the Routers' database on %s", config.Host)
	}
	return db, nil
}
