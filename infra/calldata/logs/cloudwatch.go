package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/awsapi"
	"github.com/calldata/calldata-foundation/stacks"
)

// cloudAPI is the part of CloudWatch Logs that is asked.
type cloudAPI interface {
	cloudwatchlogs.DescribeLogGroupsAPIClient
	cloudwatchlogs.FilterLogEventsAPIClient
}

// late is how much later than others a line may arrive in CloudWatch and still be followed.
const late = 2 * time.Minute

func connect(ctx context.Context, region string) (cloudAPI, error) {
	settings, err := awsapi.Load(ctx, region, "", "")
	if err != nil {
		return nil, err
	}
	return cloudwatchlogs.NewFromConfig(settings), nil
}

// shipped passes on what the machine has shipped to CloudWatch: of its roles, the log that is meant.
func (r *reader) shipped(ctx context.Context, n stacks.Node, emit func(Line)) error {
	client, err := r.connect(ctx, r.stack.Region)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	var groups, others []string
	for _, role := range n.Roles {
		prefix := stacks.LogPrefix(r.stack.Stack) + "/" + string(role) + "/"
		known, err := names(ctx, client, prefix)
		if err != nil {
			return fmt.Errorf("%s: ask CloudWatch for %s*: %s", n.Name, prefix, awsapi.Message(err))
		}
		want := prefix + r.log()
		if slices.Contains(known, want) {
			groups = append(groups, want)
		}
		others = append(others, known...)
	}
	if len(groups) == 0 {
		return fmt.Errorf("%s: CloudWatch has no log %s of it, but: %s: name one of them with --unit", n.Name, r.log(), strings.Join(others, ", "))
	}
	since := time.Now().Add(-r.Since)
	seen := map[string]bool{}
	for {
		var fresh []Line
		for _, group := range groups {
			lines, err := r.events(ctx, client, n, group, since, seen)
			if err != nil {
				return fmt.Errorf("%s: read %s: %s", n.Name, group, awsapi.Message(err))
			}
			fresh = append(fresh, lines...)
		}
		if r.Lines > 0 {
			fresh = fresh[max(0, len(fresh)-r.Lines):]
		}
		for _, l := range fresh {
			emit(l)
			// Machines ship late, and not all at the same pace.
			if newest := l.Time.Add(-late); newest.After(since) {
				since = newest
			}
		}
		if !r.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.poll):
		}
	}
}

// log is the name of the log that is meant, as machines name their log groups.
func (o *Options) log() string {
	if o.Unit == "" {
		return string(Journal)
	}
	return strings.TrimSuffix(o.Unit, ".service")
}

func names(ctx context.Context, client cloudAPI, prefix string) ([]string, error) {
	var found []string
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(client, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			found = append(found, aws.ToString(g.LogGroupName))
		}
	}
	return found, nil
}

// events are those of the machine's stream that were not seen yet. A machine that has shipped nothing has no stream.
func (r *reader) events(ctx context.Context, client cloudAPI, n stacks.Node, group string, since time.Time, seen map[string]bool) ([]Line, error) {
	var lines []Line
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(group), LogStreamNames: []string{n.InstanceID}, StartTime: aws.Int64(since.UnixMilli()),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awsapi.Is(err, "ResourceNotFoundException") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if id := aws.ToString(e.EventId); !seen[id] {
				seen[id] = r.Follow
				lines = append(lines, Line{Time: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), Node: n.Name, Log: group, Text: aws.ToString(e.Message)})
			}
		}
	}
	return lines, nil
}
