// Package database is the Routers' database, as far as routing goes: what is in it, and putting a document into it.
package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/calldata/calldata-foundation/infra/calldata/routing/compile"
	"github.com/calldata/calldata-foundation/infra/calldata/routing/document"
)

// ErrMoved is what Apply answers when somebody applied another revision since the plan was made.
var ErrMoved = errors.New("the routing has changed since the plan was made: plan again")

// aliveFor is how long a Router counts as alive after its last sign: it gives one every 5 seconds.
const aliveFor = time.Minute

// DB is an open connection.
type DB struct{ conn *pgx.Conn }

// Open connects by a URL (postgres://user:password@host:port/c4?sslmode=verify-full). The password is in no error.
func Open(ctx context.Context, url string) (*DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database's URL is not of the form postgres://user:password@host:port/c4")
	}
	return Connect(ctx, config)
}

// Connect connects as the settings say. The password is in no error.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*DB, error) {
	config.RuntimeParams["application_name"] = "calldata routing"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database %s on %s as %s: %w", config.Database, config.Host, config.User, err)
	}
	return &DB{conn}, nil
}

// Close ends the connection.
func (db *DB) Close() { _ = db.conn.Close(context.Background()) }

// State is what the database holds.
type State struct {
	// Revision is the newest one, 0 when nothing was applied yet. Document, Author and Applied are its own.
	Revision int
	Document string
	Author   string
	Applied  time.Time
	Numbers  compile.Numbers
	Tables   []compile.Table
}

// Load reads the state, all of it at one moment.
func (db *DB) Load(ctx context.Context) (*State, error) {
	tx, err := db.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	return load(ctx, tx)
}

func load(ctx context.Context, tx pgx.Tx) (*State, error) {
	s := &State{Numbers: compile.Numbers{}}
	err := tx.QueryRow(ctx, "SELECT id, document, author, applied_at FROM routing_revision ORDER BY id DESC LIMIT 1").
		Scan(&s.Revision, &s.Document, &s.Author, &s.Applied)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read the newest revision: %w (has the role c4_router made the database's tables?)", err)
	}
	rows, err := tx.Query(ctx, "SELECT kind, name, number FROM routing_number")
	if err != nil {
		return nil, err
	}
	var kind, name string
	var number int
	if _, err := pgx.ForEachRow(rows, []any{&kind, &name, &number}, func() error {
		if s.Numbers[kind] == nil {
			s.Numbers[kind] = map[string]int{}
		}
		s.Numbers[kind][name] = number
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read the numbers of names: %w", err)
	}
	for _, t := range compile.Layout() {
		if t.Rows, err = read(ctx, tx, t); err != nil {
			return nil, fmt.Errorf("read table %s: %w", t.Name, err)
		}
		compile.Sort(t.Rows)
		s.Tables = append(s.Tables, t)
	}
	return s, nil
}

// read answers a table's rows with numbers as int, as compile has them.
func read(ctx context.Context, tx pgx.Tx, t compile.Table) ([][]any, error) {
	rows, err := tx.Query(ctx, "SELECT "+strings.Join(t.Columns, ", ")+" FROM "+t.Name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) {
		values, err := row.Values()
		for i, v := range values {
			switch v := v.(type) {
			case int16:
				values[i] = int(v)
			case int32:
				values[i] = int(v)
			case nil:
				values[i] = ""
			}
		}
		return values, err
	})
}

// Apply puts a document into the database in one transaction and answers its revision. Base is the revision that the plan
// was made against: with another one there, nothing is done and the error is ErrMoved. Two at once take turns.
func (db *DB) Apply(ctx context.Context, base int, d *document.Document, secrets map[string]string, author string) (revision int, err error) {
	text, err := d.YAML()
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, db.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('calldata routing'))"); err != nil {
			return err
		}
		now, err := load(ctx, tx)
		if err != nil {
			return err
		}
		if now.Revision != base {
			return fmt.Errorf("%w (planned against revision %d, now it is %d by %s)", ErrMoved, base, now.Revision, now.Author)
		}
		tables, err := compile.Compile(d, now.Numbers, secrets)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := write(ctx, tx, t); err != nil {
				return fmt.Errorf("write table %s: %w", t.Name, err)
			}
		}
		for kind, names := range now.Numbers {
			for name, number := range names {
				if _, err := tx.Exec(ctx, "INSERT INTO routing_number (kind, name, number) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", kind, name, number); err != nil {
					return fmt.Errorf("remember the number of %s %s: %w", kind, name, err)
				}
			}
		}
		sum := sha256.Sum256(text)
		return tx.QueryRow(ctx, "INSERT INTO routing_revision (sha256, document, author) VALUES ($1, $2, $3) RETURNING id",
			hex.EncodeToString(sum[:]), string(text), author).Scan(&revision)
	})
	return revision, err
}

func write(ctx context.Context, tx pgx.Tx, t compile.Table) error {
	if _, err := tx.Exec(ctx, "DELETE FROM "+t.Name); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, t.Columns, pgx.CopyFromRows(t.Rows))
	return err
}

// Router is what one Router has said of itself.
type Router struct {
	Name     string    `json:"name"`
	Revision int       `json:"revision"`
	Seen     time.Time `json:"seen"`
}

// Routers are those that gave a sign of life within a minute, by name.
func (db *DB) Routers(ctx context.Context) ([]Router, error) {
	rows, err := db.conn.Query(ctx, "SELECT router, revision, seen_at FROM routing_loaded WHERE seen_at > now() - $1::interval ORDER BY router",
		aliveFor)
	if err != nil {
		return nil, fmt.Errorf("read which Routers there are: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Router, err error) {
		err = row.Scan(&r.Name, &r.Revision, &r.Seen)
		return r, err
	})
}
