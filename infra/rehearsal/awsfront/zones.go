package awsfront

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"golang.org/x/net/dns/dnsmessage"
)

// freshness is how long what Route 53 told holds.
const freshness = time.Second

// zones are the hosted zones of Route 53, as they were a moment ago.
type zones struct {
	mu   sync.Mutex
	read time.Time
	all  []zone
}

// zone is a hosted zone with its records by name.
type zone struct {
	name    string
	private bool
	records map[string][]types.ResourceRecordSet
}

// lookup answers the records of a name in the zone that knows it best: the longest, and of two alike the private one.
func (z *zones) lookup(ctx context.Context, a *account, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	all, err := z.present(ctx, a)
	if err != nil {
		return nil, err
	}
	var best *zone
	for i := range all {
		candidate := &all[i]
		if name != candidate.name && !strings.HasSuffix(name, "."+candidate.name) {
			continue
		}
		if best == nil || len(candidate.name) > len(best.name) || len(candidate.name) == len(best.name) && candidate.private {
			best = candidate
		}
	}
	if best == nil {
		return nil, errUnknown
	}
	sets, ok := best.records[name]
	if !ok {
		_, parent, _ := strings.Cut(name, ".")
		if sets, ok = best.records[`\052.`+parent]; !ok { // Route 53 writes a wildcard so
			return nil, errUnknown
		}
	}
	return answers(ctx, a, best, name, kind, sets, maxAliases)
}

// present reads the zones anew when they are old.
func (z *zones) present(ctx context.Context, a *account) ([]zone, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if time.Since(z.read) < freshness {
		return z.all, nil
	}
	var all []zone
	pages := route53.NewListHostedZonesPaginator(a.route53, &route53.ListHostedZonesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, h := range page.HostedZones {
			read := zone{name: canonical(aws.ToString(h.Name)), private: h.Config != nil && h.Config.PrivateZone, records: map[string][]types.ResourceRecordSet{}}
			sets := route53.NewListResourceRecordSetsPaginator(a.route53, &route53.ListResourceRecordSetsInput{HostedZoneId: h.Id})
			for sets.HasMorePages() {
				page, err := sets.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				for _, s := range page.ResourceRecordSets {
					name := canonical(aws.ToString(s.Name))
					read.records[name] = append(read.records[name], s)
				}
			}
			all = append(all, read)
		}
	}
	z.all, z.read = all, time.Now()
	return all, nil
}

// answers are the records of that type, or the CNAME that stands for every type.
func answers(ctx context.Context, a *account, in *zone, name string, kind dnsmessage.Type, sets []types.ResourceRecordSet, depth int) ([]dnsmessage.Resource, error) {
	var fitting []types.ResourceRecordSet
	for _, want := range []string{typeName(kind), "CNAME"} {
		for _, s := range sets {
			if string(s.Type) == want {
				fitting = append(fitting, s)
			}
		}
		if len(fitting) > 0 {
			break
		}
	}
	var records []dnsmessage.Resource
	var errs []error
	for _, s := range choose(fitting) {
		ttl := uint32(awsTTL)
		if s.TTL != nil {
			ttl = uint32(*s.TTL) //nolint:gosec // Route 53 allows 31 bits
		}
		if s.AliasTarget != nil {
			found, err := follow(ctx, a, in, name, kind, aws.ToString(s.AliasTarget.DNSName), depth-1)
			records, errs = append(records, found...), append(errs, err)
			continue
		}
		for _, r := range s.ResourceRecords {
			made, err := parse(name, string(s.Type), ttl, aws.ToString(r.Value))
			if err != nil {
				errs = append(errs, err)
				continue
			}
			records = append(records, made)
		}
	}
	return records, errors.Join(errs...)
}

// choose does what the routing policy of records of one name and type says: one of weighted ones by chance, the primary
// one of a failover pair, else all. Every record counts as healthy.
func choose(sets []types.ResourceRecordSet) []types.ResourceRecordSet {
	var total int64
	for _, s := range sets {
		if s.Failover == types.ResourceRecordSetFailoverPrimary {
			return []types.ResourceRecordSet{s}
		}
		total += aws.ToInt64(s.Weight)
	}
	if total == 0 {
		return sets
	}
	at := rand.Int64N(total) //nolint:gosec // a choice, not a secret
	for _, s := range sets {
		if at -= aws.ToInt64(s.Weight); at < 0 {
			return []types.ResourceRecordSet{s}
		}
	}
	return sets
}

// follow answers an alias: to a load balancer, or to another record of the same zone.
func follow(ctx context.Context, a *account, in *zone, name string, kind dnsmessage.Type, target string, depth int) ([]dnsmessage.Resource, error) {
	target = canonical(target)
	if strings.HasSuffix(target, ".elb.amazonaws.com.") {
		addresses, err := a.targets(ctx, strings.TrimPrefix(strings.TrimSuffix(target, "."), "dualstack."))
		return hosts(name, kind, awsTTL, addresses), err
	}
	if depth <= 0 {
		return nil, fmt.Errorf("aliases of %s lead to each other", name)
	}
	records, err := answers(ctx, a, in, target, kind, in.records[target], depth)
	for i := range records {
		records[i].Header.Name = dnsmessage.MustNewName(name)
	}
	return records, err
}

// typeNAPTR is not in package dnsmessage (RFC 3403).
const typeNAPTR = dnsmessage.Type(35)

func typeName(kind dnsmessage.Type) string {
	if kind == typeNAPTR {
		return "NAPTR"
	}
	return strings.TrimPrefix(kind.String(), "Type")
}

// parse reads a record as Route 53 writes it.
// Source: Amazon Route 53 Developer Guide, "Supported DNS record types".
func parse(name, kind string, ttl uint32, value string) (dnsmessage.Resource, error) {
	words, bad := fields(value), func() (dnsmessage.Resource, error) {
		return dnsmessage.Resource{}, fmt.Errorf("record %s of %s: cannot read %q", kind, name, value)
	}
	want := map[string]int{"A": 1, "AAAA": 1, "CNAME": 1, "NS": 1, "PTR": 1, "MX": 2, "SRV": 4, "NAPTR": 6, "SOA": 7}[kind]
	if len(words) < max(1, want) {
		return bad()
	}
	host, err := dnsmessage.NewName(canonical(words[len(words)-1]))
	if err != nil && kind != "TXT" && kind != "SOA" {
		return bad()
	}
	var body dnsmessage.ResourceBody
	var code dnsmessage.Type
	switch kind {
	case "A", "AAAA":
		address, err := netip.ParseAddr(words[0])
		if err != nil {
			return bad()
		}
		code = dnsmessage.TypeA
		if address.Is6() {
			code = dnsmessage.TypeAAAA
		}
		return hosts(name, code, ttl, []netip.Addr{address})[0], nil
	case "CNAME":
		code, body = dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: host}
	case "NS":
		code, body = dnsmessage.TypeNS, &dnsmessage.NSResource{NS: host}
	case "PTR":
		code, body = dnsmessage.TypePTR, &dnsmessage.PTRResource{PTR: host}
	case "MX":
		code, body = dnsmessage.TypeMX, &dnsmessage.MXResource{Pref: number(words[0]), MX: host}
	case "SRV":
		code, body = dnsmessage.TypeSRV, &dnsmessage.SRVResource{Priority: number(words[0]), Weight: number(words[1]), Port: number(words[2]), Target: host}
	case "TXT":
		code, body = dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: words}
	case "NAPTR":
		code, body = typeNAPTR, naptr(words)
	default:
		return bad()
	}
	return record(name, code, ttl, body), nil
}

// naptr is the form of RFC 3403, 4.1.
func naptr(words []string) *dnsmessage.UnknownResource {
	var out []byte
	for _, n := range words[:2] {
		value := number(n)
		out = binary.BigEndian.AppendUint16(out, value)
	}
	for _, text := range words[2:5] {
		out = append(append(out, byte(len(text))), text...) //nolint:gosec // Route 53 takes at most 255 characters
	}
	for label := range strings.SplitSeq(strings.Trim(words[5], "."), ".") {
		if label != "" {
			out = append(append(out, byte(len(label))), label...) //nolint:gosec // a label has at most 63
		}
	}
	return &dnsmessage.UnknownResource{Type: typeNAPTR, Data: append(out, 0)}
}

// fields cuts a record into words; one in quotes may be empty or hold blanks.
func fields(value string) []string {
	var words []string
	for value = strings.TrimSpace(value); value != ""; value = strings.TrimSpace(value) {
		if quoted, err := strconv.QuotedPrefix(value); err == nil && value[0] == '"' {
			text, _ := strconv.Unquote(quoted)
			words, value = append(words, text), value[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(value, " ")
		words, value = append(words, word), rest
	}
	return words
}
