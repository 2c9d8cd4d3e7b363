package statestore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
)

// Stack is what a backend keeps of one stack.
type Stack struct {
	Store
	// Project and Name are its names.
	Project, Name string
}

// Where a checkpoint comes from.
const (
	// FromHistory: Pulumi wrote it when an operation had ended.
	FromHistory = "history"
	// FromBackup: Pulumi wrote it beside the history, or `calldata rollback` kept it of a state that it replaced.
	FromBackup = "backup"
	// FromWrite: the state before Pulumi's last write of it, or before an earlier one where PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS keeps
	// them all.
	FromWrite = "write"
	// FromPresent: it is no copy, but the state itself.
	FromPresent = "present"
)

// Checkpoint is a copy of a stack's state.
type Checkpoint struct {
	// ID is the time in UTC and in microseconds, as 20260102T030405.000006Z.
	ID string `json:"id"`
	// Time is when it was written, in UTC; From one of the constants above.
	Time time.Time `json:"time"`
	From string    `json:"from"`
	// Key is its file in the backend.
	Key string `json:"key"`
}

// NewCheckpoint names a file of the backend.
func NewCheckpoint(from string, file Object) Checkpoint {
	at := file.Time.UTC()
	return Checkpoint{ID: at.Format("20060102T150405.000000Z"), Time: at, From: from, Key: file.Key}
}

// Update is the operation that has left a checkpoint of the history.
type Update struct {
	// Kind is what it was, as "update"; Result how it ended; Message what was said of it.
	Kind    string `json:"kind"`
	Result  string `json:"result"`
	Message string `json:"message"`
	// Environment is what it ran in; "git.head" is the commit.
	Environment map[string]string `json:"environment"`
}

// base is the state's file without its ending.
func (s Stack) base() string      { return path.Join(".pulumi/stacks", s.Project, s.Name) + ".json" }
func (s Stack) backupDir() string { return path.Join(".pulumi/backups", s.Project, s.Name) + "/" }

// compressions are what may follow .json.
var compressions = []string{"", encoding.GZIPExt, encoding.ZSTDExt}

// Stacks are the names of a project's stacks that begin with prefix, in alphabetical order.
func Stacks(ctx context.Context, store Store, project, prefix string) ([]string, error) {
	dir := path.Join(".pulumi/stacks", project) + "/"
	objects, err := store.List(ctx, dir+prefix)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range objects {
		if name, ok := strings.CutSuffix(plain(strings.TrimPrefix(o.Key, dir)), ".json"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil // it may be there with and without compression
}

// Present is the file of the state as it is now. Ok is false where there is none.
func (s Stack) Present(ctx context.Context) (file Object, ok bool, err error) {
	objects, err := s.List(ctx, s.base())
	if err != nil {
		return Object{}, false, err
	}
	for _, o := range objects { // as Pulumi does, which may change from one to the other
		if slices.Contains(compressions, strings.TrimPrefix(o.Key, s.base())) && (!ok || !o.Time.Before(file.Time)) {
			file, ok = o, true
		}
	}
	return file, ok, nil
}

// Checkpoints are the copies of the state, newest first.
func (s Stack) Checkpoints(ctx context.Context) ([]Checkpoint, error) {
	var found []Checkpoint
	add := func(from, key string, at time.Time) {
		found = append(found, NewCheckpoint(from, Object{Key: key, Time: at}))
	}
	for _, place := range []struct{ from, prefix, separator, ending string }{
		{FromHistory, path.Join(".pulumi/history", s.Project, s.Name) + "/", "-", ".checkpoint.json"},
		{FromBackup, s.backupDir(), ".", ".json"},
	} {
		objects, err := s.List(ctx, place.prefix)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			name, ok := strings.CutSuffix(plain(o.Key), place.ending)
			if !ok {
				continue
			}
			if at, ok := nanoseconds(strings.TrimPrefix(name, place.prefix+s.Name+place.separator)); ok {
				add(place.from, o.Key, at)
			}
		}
	}
	objects, err := s.List(ctx, s.base())
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		rest := strings.TrimPrefix(o.Key, s.base())
		for _, compression := range compressions[1:] {
			rest = strings.TrimPrefix(rest, compression)
		}
		if rest == ".bak" {
			add(FromWrite, o.Key, o.Time)
		} else if at, ok := nanoseconds(strings.TrimPrefix(rest, ".")); ok {
			add(FromWrite, o.Key, at)
		}
	}
	slices.SortStableFunc(found, func(a, b Checkpoint) int { return b.Time.Compare(a.Time) })
	return found, nil
}

func plain(key string) string {
	for _, compression := range compressions[1:] {
		key = strings.TrimSuffix(key, compression)
	}
	return key
}

func nanoseconds(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(0, n), err == nil
}

// Update is the operation that left the checkpoint c, or nil where c is not of the history or its record cannot be read.
func (s Stack) Update(ctx context.Context, c Checkpoint) (*Update, error) {
	if c.From != FromHistory {
		return nil, nil
	}
	data, err := s.Read(ctx, strings.Replace(c.Key, ".checkpoint.json", ".history.json", 1))
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	update := &Update{}
	if encoding.Compress(encoding.JSON, encoding.DetectCompression(data)).Unmarshal(data, update) != nil {
		return nil, nil
	}
	return update, nil
}

// Keep writes a copy of the state's file among the backups and answers its key.
func (s Stack) Keep(ctx context.Context, file Object, data []byte, now time.Time) (string, error) {
	ending := strings.TrimPrefix(file.Key, strings.TrimSuffix(s.base(), ".json"))
	key := fmt.Sprintf("%s%s.%d%s", s.backupDir(), s.Name, now.UnixNano(), ending)
	return key, s.Write(ctx, key, data)
}

// Restore writes the state's file where there is none: Pulumi takes a stack without one for unknown.
func (s Stack) Restore(ctx context.Context, data []byte) error {
	return s.Write(ctx, s.base()+encoding.DetectCompression(data).Ext(), data)
}
