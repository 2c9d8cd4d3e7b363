package topology

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/calldata/calldata-foundation/stacks"
)

// writeTable prints a topology for a person, one table for each kind of thing.
func writeTable(w io.Writer, t stacks.Topology) error {
	p := &printer{w: w}
	p.say("%s: %s\n", t.Stack, subtitle(t))
	if n := t.Network; n != nil {
		p.say("\nnetwork %s %s, NAT %s, endpoints of Systems Manager %s\n", n.Name, n.CIDR, n.Nat, yes(n.SSMEndpoints))
		p.table("SUBNET\tTIER\tZONE\tRANGE", len(n.Subnets), func(i int) []any {
			s := n.Subnets[i]
			return []any{s.Name, s.Tier, s.Zone, s.CIDR}
		})
	}
	p.table("MACHINE\tROLES\tTYPE\tVCPU\tGIB\tSUBNET\tDISK\tDATA\tADDRESS\tACCESS", len(t.Nodes), func(i int) []any {
		n := t.Nodes[i]
		address := "private"
		if n.Public {
			address = "Elastic IP"
		}
		return []any{n.Name, words(n.Roles), n.Type.Name, n.Type.VCPU, n.Type.MemoryGiB, n.Subnet, gib(n.VolumeGiB), gib(n.DataVolumeGiB), address, n.Access}
	})
	p.table("FLEET\tTYPE\tMACHINES\tTIER\tDISK\tCALLS EACH\tCPU\tDRAIN\tADDRESSES", len(t.Fleets), func(i int) []any {
		f := t.Fleets[i]
		addresses := "private"
		switch {
		case f.AddressPool:
			addresses = fmt.Sprintf("pool of %d Elastic IPs", t.SIPEdge.Pool)
		case f.Tier == stacks.TierPublic:
			addresses = "public"
		}
		return []any{f.Name, f.Type.Name, fmt.Sprintf("%d to %d", f.Size.Min, f.Size.Max), f.Tier, gib(f.VolumeGiB), f.Size.Calls, fmt.Sprintf("%d %%", f.CPUTarget),
			f.DrainTimeout, addresses}
	})
	p.edges(t)
	if d := t.Database; d != nil {
		p.say("\ndatabase %s: PostgreSQL %d, %s, %d GiB growing to %d, standby in another zone %s, backups %d days\n",
			d.Name, d.Version, d.Class, d.GiB, d.MaxGiB, yes(d.MultiAZ), d.BackupDays)
	}
	if b := t.Backup; b != nil {
		copies := ""
		if b.CopyRegion != "" {
			copies = ", copied to " + b.CopyRegion
		}
		p.say("\nbackup %s: daily, kept %d days, locked %s%s\n", b.Name, b.Days, yes(b.Lock), copies)
	}
	if len(t.Keys) > 0 {
		names := make([]string, len(t.Keys))
		for i, k := range t.Keys {
			names[i] = string(k)
		}
		p.say("\nencryption keys: %s\n", strings.Join(names, ", "))
	}
	p.table("BUCKET\tOBJECTS GO AFTER\tLOCKED FOR", len(t.Buckets), func(i int) []any {
		b := t.Buckets[i]
		return []any{b.Use, days(b.ExpireDays), days(b.LockDays)}
	})
	p.account(t.Account)
	links := Links(t)
	p.table("TRAFFIC FROM\tTO\tPORTS\tRANGES", len(links), func(i int) []any {
		l := links[i]
		return []any{l.From, l.To, strings.Join(l.Ports, ", "), cmp.Or(strings.Join(l.Ranges, ", "), "-")}
	})
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) say(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// table prints rows under a head, if there are any.
func (p *printer) table(head string, rows int, row func(int) []any) {
	if rows == 0 || p.err != nil {
		return
	}
	p.say("\n")
	table := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, head) // tabwriter keeps errors until Flush
	for i := range rows {
		cells := row(i)
		texts := make([]string, len(cells))
		for c, cell := range cells {
			texts[c] = fmt.Sprint(cell)
		}
		_, _ = fmt.Fprintln(table, strings.Join(texts, "\t"))
	}
	p.err = cmp.Or(p.err, table.Flush())
}

func (p *printer) edges(t stacks.Topology) {
	if e := t.Web; e != nil {
		certificate := e.CertificateARN
		if certificate == "" {
			certificate = "made, and validated in zone " + e.HostedZone
		}
		p.say("\nweb %s: https://%s, certificate %s, web application firewall %s, weights blue %d green %d\n", e.Name, e.Domain, certificate, yes(e.WAF), e.Blue, e.Green)
	}
	if e := t.SIPEdge; e != nil {
		p.say("\nSIP %s: load balancer for carriers %s, phones by address %s", e.Name, yes(e.Carriers), yes(e.Phones))
		if e.Phones {
			p.say(" as %s, health checks %s", e.Domain, yes(e.HealthChecks))
		}
		p.say("\n")
	}
}

func (p *printer) account(a *stacks.AccountSpec) {
	if a == nil {
		return
	}
	p.say("\nrepository %s deploys; budgets and anomalies go to %s; the state is in %s\n", a.Repository, strings.Join(a.AlertEmails, ", "),
		cmp.Or(a.StateBucket, "the bucket of `calldata bootstrap`"))
	p.table("ENVIRONMENT\tBUDGET\tDNS RECORDS", len(a.Environments), func(i int) []any {
		e := a.Environments[i]
		return []any{e.Name, fmt.Sprintf("%d USD a month", e.BudgetUSD), cmp.Or(strings.Join(e.Domains, ", "), "of every zone")}
	})
	p.table("PART OF THE BASELINE", len(a.Parts), func(i int) []any { return []any{a.Parts[i]} })
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func gib(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d GiB", n)
}

func days(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d days", n)
}
