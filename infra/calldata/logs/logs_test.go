package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/calldata/calldata-foundation/infra/calldata/cli"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/emulatortest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/sshtest"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/stacktest"
	"github.com/calldata/calldata-foundation/stacks"
)

// cloud is a CloudWatch with some log groups, whose events are those of a stream "group stream".
type cloud struct {
	mu     sync.Mutex
	groups []string
	events map[string][]types.FilteredLogEvent
	asked  []*cloudwatchlogs.FilterLogEventsInput
	err    error
	// polled is called after each question for events.
	polled func()
}

func (c *cloud) DescribeLogGroups(_ context.Context, in *cloudwatchlogs.DescribeLogGroupsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	out := &cloudwatchlogs.DescribeLogGroupsOutput{}
	for _, g := range c.groups {
		if strings.HasPrefix(g, *in.LogGroupNamePrefix) {
			out.LogGroups = append(out.LogGroups, types.LogGroup{LogGroupName: aws.String(g)})
		}
	}
	return out, c.err
}

func (c *cloud) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, in)
	events, known := c.events[*in.LogGroupName+" "+in.LogStreamNames[0]]
	if c.polled != nil {
		defer c.polled()
	}
	if !known {
		return nil, &smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "The specified log stream does not exist."}
	}
	return &cloudwatchlogs.FilterLogEventsOutput{Events: events}, nil
}

func event(id string, at time.Time, text string) types.FilteredLogEvent {
	return types.FilteredLogEvent{EventId: aws.String(id), Timestamp: aws.Int64(at.UnixMilli()), Message: aws.String(text)}
}

// bench is the command with a machine whose journal is entries, and a CloudWatch.
type bench struct {
	opts     *Options
	cloud    *cloud
	server   *sshtest.Server
	env      map[string]string
	out, err bytes.Buffer

	mu       sync.Mutex
	commands []string
}

func newBench(t *testing.T, reply sshtest.Reply) *bench {
	t.Helper()
	b := &bench{cloud: &cloud{events: map[string][]types.FilteredLogEvent{}}}
	b.server = sshtest.Start(t, func(command string) sshtest.Reply {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.commands = append(b.commands, command)
		return reply
	})
	b.env = stacktest.Environment(b.server)
	b.opts = &Options{
		IO:      &cli.IO{In: strings.NewReader(""), Out: &b.out, Err: &b.err, Getenv: func(name string) string { return b.env[name] }},
		members: stacktest.Members, port: b.server.Port, poll: time.Millisecond,
		connect: func(context.Context, string) (cloudAPI, error) { return b.cloud, nil },
	}
	return b
}

func (b *bench) run(ctx context.Context, t *testing.T, args ...string) error {
	t.Helper()
	cmd := newCmd(b.opts)
	cmd.SetArgs(append([]string{"--outputs", stacktest.Write(t, stacktest.Stack())}, args...))
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return cmd.ExecuteContext(ctx)
}

const entries = `{"__REALTIME_TIMESTAMP":"1764460801000000","SYSLOG_IDENTIFIER":"kamailio","MESSAGE":"second"}
{"__REALTIME_TIMESTAMP":"1764460800500000","_COMM":"sshd","MESSAGE":[102,105,27,114,115,116,255]}
{"__REALTIME_TIMESTAMP":"1764460802000000","MESSAGE":null}
`

func TestJournal(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: entries})
	require.NoError(t, b.run(t.Context(), t, "trial", "c4-sbc", "--unit", "kamailio.service", "--since", "90s", "-n", "7"))
	assert.Equal(t, []string{
		"sudo -n journalctl --quiet --no-pager --output=json --output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM --since=-90s --lines=7 --unit=kamailio.service",
	}, b.commands)
	assert.Equal(t, "2025-11-30T00:00:00.500Z "+stacktest.Member+" sshd: fi rst?\n"+
		"2025-11-30T00:00:01.000Z "+stacktest.Member+" kamailio: second\n"+
		"2025-11-30T00:00:02.000Z "+stacktest.Member+" kernel: (too long to be shown)\n", b.out.String())

	b.out.Reset()
	require.NoError(t, b.run(t.Context(), t, "trial", "trial-uc-1", "--json", "--lines", "0"))
	assert.Contains(t, b.commands[1], "--no-tail")
	var first Line
	require.NoError(t, json.NewDecoder(&b.out).Decode(&first))
	assert.Equal(t, Line{Time: time.UnixMilli(1764460800500).UTC(), Node: "trial-uc-1", Log: "journal", Program: "sshd", Text: "fi\x1brst?"}, first)
}

func TestCloudWatchWhereNobodyCanLogIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	b.env["CALLDATA_KNOWN_HOSTS"] = b.server.OtherHosts
	now := time.Now()
	b.cloud.groups = []string{"/calldata/trial/c4-sbc/journal", "/calldata/trial/c4-sbc/kamailio"}
	b.cloud.events["/calldata/trial/c4-sbc/journal "+stacktest.Member] = []types.FilteredLogEvent{event("1", now.Add(-time.Minute), "sshd: one"), event("2", now, "sshd: two")}
	require.NoError(t, b.run(t.Context(), t, "trial", "c4-sbc", "--since", "10m", "--lines", "1"))
	assert.Equal(t, fmt.Sprintf("%s %s sshd: two\n", now.UTC().Format("2006-01-02T15:04:05.000Z"), stacktest.Member), b.out.String())
	assert.Contains(t, b.err.String(), "is not the known one")
	assert.Contains(t, b.err.String(), "reading CloudWatch instead")
	assert.WithinDuration(t, now.Add(-10*time.Minute), time.UnixMilli(*b.cloud.asked[0].StartTime), 5*time.Second)
	assert.Equal(t, []string{stacktest.Member}, b.cloud.asked[0].LogStreamNames)

	err := b.run(t.Context(), t, "trial", "c4-sbc", "--from", "journal")
	assert.Equal(t, cli.ExitUnreachable, cli.Code(err))
	require.ErrorContains(t, err, "cannot log in")

	b.cloud.err = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	err = b.run(t.Context(), t, "trial", "c4-sbc")
	require.ErrorContains(t, err, "cannot log in")
	require.ErrorContains(t, err, "AccessDeniedException: no")
}

func TestCloudWatchOfAMachineThatIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	const gone = "i-0bbbbbbbbbbbbbbb1"
	b.cloud.groups = []string{"/calldata/trial/c4-sbc/journal", "/calldata/trial/c4-sbc/kamailio"}
	b.cloud.events["/calldata/trial/c4-sbc/kamailio "+gone] = []types.FilteredLogEvent{event("1", time.Now(), "kamailio: bye")}
	require.NoError(t, b.run(t.Context(), t, "trial", gone, "--from", "cloudwatch", "--unit", "kamailio.service"))
	assert.Contains(t, b.out.String(), gone+" kamailio: bye")

	b.out.Reset()
	require.NoError(t, b.run(t.Context(), t, "trial", gone, "--from", "cloudwatch"), "a machine that has shipped nothing has no stream")
	assert.Empty(t, b.out.String())
	err := b.run(t.Context(), t, "trial", gone, "--from", "cloudwatch", "--unit", "rtpengine")
	require.ErrorContains(t, err, "has no log rtpengine of it, but: /calldata/trial/c4-sbc/journal, /calldata/trial/c4-sbc/kamailio")
	assert.Empty(t, b.commands, "nobody logs in")
}

func TestFollow(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: entries})
	require.NoError(t, b.run(t.Context(), t, "trial", "trial-uc-1", "--follow"))
	assert.True(t, strings.HasSuffix(b.commands[0], " --follow"))
	assert.True(t, strings.HasPrefix(b.out.String(), "2025-11-30T00:00:01.000Z trial-uc-1 kamailio: second\n"), "as they come: %s", b.out.String())

	b = newBench(t, sshtest.Reply{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	now, stream := time.Now(), "/calldata/trial/uc-engine/wazo-calld "+stacktest.Engine
	b.cloud.groups = []string{"/calldata/trial/uc-engine/wazo-calld"}
	b.cloud.events[stream] = []types.FilteredLogEvent{event("1", now, "one")}
	rounds := 0
	b.cloud.polled = func() {
		rounds++
		switch rounds {
		case 2:
			b.cloud.events[stream] = append(b.cloud.events[stream], event("2", now.Add(time.Second), "two"))
		case 5:
			cancel()
		}
	}
	err := b.run(ctx, t, "trial", "trial-uc-1", "--from", "cloudwatch", "--unit", "wazo-calld", "--follow")
	assert.Equal(t, cli.ExitInterrupted, cli.Code(err))
	require.ErrorIs(t, err, cli.ErrSilent)
	assert.Equal(t, 1, strings.Count(b.out.String(), " one\n"), "once, although it is asked for again")
	assert.Equal(t, 1, strings.Count(b.out.String(), " two\n"))
}

func TestJournalctlThatFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{Stdout: entries, Stderr: "sudo: a password is required", Code: 1})
	err := b.run(t.Context(), t, "trial", "trial-uc-1")
	require.ErrorContains(t, err, "trial-uc-1: journalctl: Process exited with status 1: sudo: a password is required")
	assert.Contains(t, b.out.String(), "second", "what came before")
	assert.Empty(t, b.cloud.asked)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	b := newBench(t, sshtest.Reply{})
	err := b.run(t.Context(), t, "trial", "trial-uc-1", "--since", "0s", "--lines", "-1", "--unit", "x; reboot", "--from", "syslog")
	assert.Equal(t, cli.ExitUsage, cli.Code(err))
	for _, part := range []string{"--since is 0s", "--lines is -1", `--unit is "x; reboot"`, `--from is "syslog"`} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, b.run(t.Context(), t, "trial"), "want a stack and a machine or role")
	assert.Empty(t, b.commands)
}

func TestOnTheEmulator(t *testing.T) {
	e := emulatortest.Start(t)
	for _, pair := range e.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	client := cloudwatchlogs.NewFromConfig(e.AWSConfig())
	group, stream := aws.String(stacks.LogPrefix("trial")+"/c4-sbc/journal"), aws.String(stacktest.Member)
	_, err := client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	require.NoError(t, err)
	b := newBench(t, sshtest.Reply{})
	b.opts.connect = func(ctx context.Context, _ string) (cloudAPI, error) { return connect(ctx, e.AWSConfig().Region) }
	require.NoError(t, b.run(t.Context(), t, "trial", stacktest.Member, "--from", "cloudwatch"), "no stream yet")
	_, err = client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	require.NoError(t, err)
	_, err = client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: []types.InputLogEvent{
		{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String("sshd: hello")},
	}})
	require.NoError(t, err)
	require.NoError(t, b.run(t.Context(), t, "trial", stacktest.Member, "--from", "cloudwatch"))
	assert.Contains(t, b.out.String(), stacktest.Member+" sshd: hello\n")
}
