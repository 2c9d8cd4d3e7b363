package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/calldata/calldata-foundation/components/metrics"
	"github.com/calldata/calldata-foundation/infra/calldata/cli/progress"
	"github.com/calldata/calldata-foundation/stacks"
)

const (
	// metricsTimeout is how long machines may take to tell their metrics, which they do once a minute.
	metricsTimeout = 4 * time.Minute
	// metricsAge is how far back is looked: over all of a rehearsal.
	metricsAge = 3 * time.Hour
	// mostCalls is more than one machine ever carries in a rehearsal.
	mostCalls = 10_000
)

// gauge is the number of calls that a machine or a fleet carries, as CloudWatch knows it.
type gauge struct {
	name       string
	fleet      bool
	dimensions map[string]string
	// known says that there is a value; most is the largest.
	known bool
	most  float64
}

// measured waits until every machine and every fleet, whose scaling goes by it, has told CloudWatch how many calls it carries: those
// that were there before the calls, which end machines and begin others. How many calls it was is not compared: one that ends within
// a minute need not be in what is told once a minute.
func (w *world) measured(ctx context.Context, gauges []gauge, err error, step progress.Step) Check {
	s := step.Step("metrics")
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	if err == nil {
		err = await(ctx, w.emulator.AWSConfig(), gauges)
	}
	s.Done(err)
	c := Check{Name: "metrics arrived", OK: err == nil, Detail: heard(gauges)}
	if err != nil {
		c.Detail = joinNonEmpty(c.Detail, err.Error())
	}
	return c
}

// gauges are those of the machines that run and of all fleets.
func (w *world) gauges(ctx context.Context) ([]gauge, error) {
	roles, err := w.machinesByRole(ctx)
	if err != nil {
		return nil, err
	}
	var out []gauge
	delete(roles, string(stacks.RolePrometheus)) // carries no calls
	for role, list := range roles {
		for _, m := range list {
			out = append(out, gauge{name: m.Name, dimensions: map[string]string{metrics.DimInstance: m.Name, metrics.DimRole: role}})
		}
	}
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(autoscaling.NewFromConfig(w.emulator.AWSConfig()), &autoscaling.DescribeAutoScalingGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask for fleets: %w", err)
		}
		for _, g := range page.AutoScalingGroups {
			name := aws.ToString(g.AutoScalingGroupName)
			out = append(out, gauge{name: name, fleet: true, dimensions: map[string]string{metrics.DimGroup: name}})
		}
	}
	return out, nil
}

// await asks CloudWatch until it knows every gauge.
func await(ctx context.Context, config aws.Config, gauges []gauge) error {
	var missing error
	for {
		now, err := wrong(ctx, config, gauges)
		switch {
		case err != nil && ctx.Err() != nil && missing != nil:
			return missing
		case err != nil || now == nil:
			return err
		}
		missing = now
		select {
		case <-ctx.Done():
			return missing
		case <-time.After(time.Second):
		}
	}
}

// wrong asks for every gauge once. It says what is not as it should be, and an error where nobody answers.
func wrong(ctx context.Context, config aws.Config, gauges []gauge) (missing, err error) {
	var errs []error
	for i := range gauges {
		if err := gauges[i].ask(ctx, config); err != nil {
			return nil, err
		}
		errs = append(errs, gauges[i].wrong())
	}
	return errors.Join(errs...), nil
}

// ask looks the gauge up.
func (g *gauge) ask(ctx context.Context, config aws.Config) error {
	now := time.Now().UTC()
	form := url.Values{
		"Namespace": {metrics.Namespace}, "MetricName": {metrics.ActiveCalls}, "Statistics.member.1": {"Maximum"},
		"StartTime": {now.Add(-metricsAge).Format(time.RFC3339)}, "EndTime": {now.Add(time.Minute).Format(time.RFC3339)},
		"Period": {strconv.Itoa(int(metricsAge / time.Second))},
	}
	setDimensions(form, g.dimensions)
	var answer struct {
		Maxima []float64 `xml:"GetMetricStatisticsResult>Datapoints>member>Maximum"`
	}
	if err := query(ctx, config, "GetMetricStatistics", form, &answer); err != nil {
		return fmt.Errorf("ask for %s of %s: %w", metrics.ActiveCalls, g.name, err)
	}
	for _, n := range answer.Maxima {
		g.known, g.most = true, max(g.most, n)
	}
	return nil
}

// setDimensions puts dimensions into a request.
func setDimensions(form url.Values, dimensions map[string]string) {
	for i, name := range slices.Sorted(maps.Keys(dimensions)) {
		member := fmt.Sprintf("Dimensions.member.%d.", i+1)
		form.Set(member+"Name", name)
		form.Set(member+"Value", dimensions[name])
	}
}

// query asks CloudWatch by the protocol that the emulator knows of it, which AWS's SDK for Go no longer speaks.
// Source: Amazon CloudWatch API Reference, "Using the Query API".
func query(ctx context.Context, config aws.Config, action string, form url.Values, answer any) error {
	form.Set("Action", action)
	form.Set("Version", "2010-08-01")
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, aws.ToString(config.BaseEndpoint), strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	login, err := config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, login, r, hex.EncodeToString(hash[:]), "monitoring", config.Region, time.Now()); err != nil {
		return err
	}
	response, err := config.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("CloudWatch answers %s: %s", response.Status, tail(data, 3))
	}
	if err != nil {
		return err
	}
	return xml.Unmarshal(data, answer)
}

// wrong says what is not as it should be.
func (g *gauge) wrong() error {
	switch {
	case !g.known:
		return fmt.Errorf("%s has told CloudWatch no %s", g.name, metrics.ActiveCalls)
	case g.most < 0 || g.most > mostCalls || g.most != math.Trunc(g.most):
		return fmt.Errorf("%s has told CloudWatch of %g calls", g.name, g.most)
	}
	return nil
}

// heard counts what CloudWatch knows.
func heard(gauges []gauge) string {
	var machines, fleets int
	var most float64
	for _, g := range gauges {
		switch {
		case !g.known:
			continue
		case g.fleet:
			fleets++
		default:
			machines++
		}
		most = max(most, g.most)
	}
	return fmt.Sprintf("%s of %d machines and %d fleets, %g at most", metrics.ActiveCalls, machines, fleets, most)
}
