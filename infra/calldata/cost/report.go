package cost

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// writeTable prints lines, sums of groups, and what was assumed.
func (e Estimate) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") } // tabwriter keeps errors until Flush
	most := e.USD != e.MaxUSD
	end := func(usd, maxUSD float64) []string {
		if most {
			return []string{money(usd), money(maxUSD)}
		}
		return []string{money(usd)}
	}
	head := []string{"QUANTITY", "UNIT", "UNIT PRICE", "USD/MONTH"}
	if most {
		head = append(head, "AT MOST")
	}
	width := 0
	for _, line := range e.Lines {
		width = max(width, len(line.Item)+2)
	}
	item := func(text string) string { return fmt.Sprintf("%-*s", width, text) }
	row(append([]string{item("ITEM")}, head...)...)
	for i, line := range e.Lines {
		if i == 0 || e.Lines[i-1].Group != line.Group {
			usd, maxUSD := e.groupSum(line.Group)
			row(append([]string{item(line.Group), "", "", ""}, end(usd, maxUSD)...)...)
		}
		if line.Unknown {
			row(item("  "+line.Item), quantity(line.Quantity), line.Price.Unit, "unknown", "?")
			continue
		}
		row(append([]string{item("  " + line.Item), quantity(line.Quantity), line.Price.Unit, unitPrice(line.Price.USD)}, end(line.USD, line.MaxUSD)...)...)
	}
	row(append([]string{item("total"), "", "", ""}, end(e.USD, e.MaxUSD)...)...)
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, e.epilogue())
	return err
}

func (e Estimate) groupSum(group string) (usd, maxUSD float64) {
	for _, line := range e.Lines {
		if line.Group == group {
			usd += line.USD
			maxUSD += line.MaxUSD
		}
	}
	return usd, maxUSD
}

func (e Estimate) epilogue() string {
	var b strings.Builder
	if e.Roadmap != nil {
		fmt.Fprintf(&b, "\nThe roadmap expected %s: %s.\n", e.Roadmap, e.Verdict())
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, line := range lines {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	list("Assumed:", e.Notes)
	list("For less:", e.Savings)
	if len(e.Examples) > 0 {
		fmt.Fprintf(&b, "\nExample values stand for: %s.\n", strings.Join(e.Examples, ", "))
	}
	return b.String()
}

// Verdict compares the estimate with the roadmap's.
func (e Estimate) Verdict() string {
	switch r := e.Roadmap; {
	case r == nil:
		return "it said nothing"
	case e.USD < r.FromUSD:
		return fmt.Sprintf("this is %.0f USD below", r.FromUSD-e.USD)
	case e.USD > r.ToUSD && !r.Open:
		return fmt.Sprintf("this is %.0f USD above", e.USD-r.ToUSD)
	}
	return "this is within"
}

func money(usd float64) string { return strconv.FormatFloat(usd, 'f', 2, 64) }

// unitPrice has the digits that the price has, at least two.
func unitPrice(usd float64) string {
	text := strconv.FormatFloat(usd, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(text, "."); len(decimals) < 2 {
		return money(usd)
	}
	return text
}

// quantity has at most one decimal.
func quantity(q float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(q, 'f', 1, 64), ".0")
}
