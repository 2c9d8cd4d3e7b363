package dashboard

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/svg"
	"github.com/calldata/calldata-foundation/stacks"
)

// Sizes in pixels.
const (
	margin  = 24
	column  = 52 // of the grid
	row     = 42
	inset   = 4 // between a widget and the edge of its cells
	padding = 10
	head    = 3 * svg.LineHeight
)

// Colours.
const (
	paper, frame = "#ffffff", "#c4ccd6"
	good         = "#2e7d32"
	sampleWords  = "sample data"
)

// box is where a widget is drawn.
type box struct{ x, y, w, h int }

// canvas draws the dashboards of a stack, one below the other.
type canvas struct {
	svg.Canvas
	// start is how far back the dashboard at hand goes.
	start string
}

// picture draws dashboards with sample data.
func picture(t stacks.Topology, made []dashboards.Dashboard) string {
	c := &canvas{}
	title := svg.Title{Name: "Dashboards of " + t.Stack, Description: "Drawn from the settings alone. Lines, numbers and states are " + sampleWords + "."}
	c.Text(margin, margin+svg.LineHeight/2, ` font-size="18" font-weight="700"`, title.Name)
	c.Text(margin, margin+2*svg.LineHeight-4, svg.Small, title.Description)
	y := margin + head
	for _, d := range made {
		c.Text(margin+inset, y+svg.LineHeight, svg.Bold, d.Name)
		y += svg.LineHeight + padding
		c.start = d.Body.Start
		rows := 0
		for _, w := range d.Body.Widgets {
			c.widget(w, box{margin + w.X*column + inset, y + w.Y*row + inset, w.Width*column - 2*inset, w.Height*row - 2*inset})
			rows = max(rows, w.Y+w.Height)
		}
		y += rows*row + margin
	}
	return c.File(2*margin+dashboards.Columns*column, y, title, "")
}

func (c *canvas) widget(w dashboards.Widget, b box) {
	if w.Type == dashboards.TypeText {
		c.words(w.Properties.Markdown, b)
		return
	}
	c.Rect(b.x, b.y, b.w, b.h, paper, frame, "")
	mark := ""
	switch {
	case w.Type == dashboards.TypeAlarm:
		c.alarms(w.Properties, b)
		mark = sampleWords
	case w.Type == dashboards.TypeLog:
		c.query(w.Properties, b)
	case w.Properties.Number():
		c.numbers(w.Properties, b)
		mark = sampleWords
	default:
		c.graph(w.Properties, b)
		mark = sampleWords
	}
	c.Text(b.x+padding, b.y+padding+svg.FontSize-2, svg.Bold, fit(w.Properties.Title, b.w-2*padding-svg.Width(mark)))
	c.Text(b.x+b.w-padding, b.y+padding+svg.FontSize-2, ` text-anchor="end" font-size="9" font-style="italic" fill="`+svg.Faint+`"`, mark)
}

// fit cuts a text that is too wide.
func fit(text string, width int) string {
	letters := []rune(text)
	for svg.Width(string(letters)) > width && len(letters) > 1 {
		letters = append(letters[:len(letters)-2], '…')
	}
	return string(letters)
}

// markup is what Markdown has for links and code.
var markup = strings.NewReplacer("`", "")

var link = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)

// words draws the little Markdown that dashboards have.
func (c *canvas) words(markdown string, b box) {
	y := b.y
	for line := range strings.SplitSeq(markdown, "\n") {
		if line == "" {
			continue
		}
		style := svg.Small
		text := strings.TrimLeft(line, "#")
		switch len(line) - len(text) {
		case 1:
			style = ` font-size="16" font-weight="700"`
		case 2:
			style = ` font-size="14" font-weight="600"`
		}
		text = markup.Replace(link.ReplaceAllString(strings.TrimSpace(text), "$1"))
		for _, part := range wrap(text, b.w) {
			y += svg.LineHeight + 2
			c.Text(b.x, y, style, part)
		}
	}
}

// wrap breaks a text between words.
func wrap(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && svg.Width(lines[last]+" "+word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

func (c *canvas) alarms(p dashboards.Properties, b box) {
	if len(p.States) > 0 {
		c.Text(b.x+padding, b.y+2*row, svg.Small, fmt.Sprintf("None of %d is in the state %s.", len(p.Alarms), strings.Join(p.States, ", ")))
		return
	}
	width := (b.w - padding) / dashboards.AlarmsPerRow
	for i, arn := range p.Alarms {
		x, y := b.x+padding+i%dashboards.AlarmsPerRow*width, b.y+row+i/dashboards.AlarmsPerRow*row
		c.Rect(x, y, width-padding, row-inset, "#f1f8f1", frame, "")
		c.Printf(`<rect x="%d" y="%d" width="4" height="%d" fill="%s"/>`, x, y, row-inset, good)
		c.Text(x+padding, y+svg.LineHeight, ` font-size="11"`, fit(arn[strings.LastIndex(arn, ":")+1:], (width-2*padding)*svg.FontSize/11))
		c.Text(x+padding, y+2*svg.LineHeight-2, ` font-size="9" fill="`+good+`"`, "OK")
	}
}

func (c *canvas) query(p dashboards.Properties, b box) {
	var groups, commands []string
	for line := range strings.SplitSeq(p.Query, "\n| ") {
		if name, ok := strings.CutPrefix(line, "SOURCE "); ok {
			groups = append(groups, strings.Trim(name, "'"))
		} else {
			commands = append(commands, line)
		}
	}
	from := groups[0]
	if len(groups) > 1 {
		from += fmt.Sprintf(" and %d more log groups", len(groups)-1)
	}
	y := b.y + padding + 2*svg.LineHeight + 2
	c.Text(b.x+padding, y, svg.Small, fit(from, b.w-2*padding))
	for _, command := range commands {
		y += svg.LineHeight
		c.Text(b.x+padding, y, ` font-family="monospace" font-size="10" fill="`+svg.Line+`"`, fit("| "+command, b.w-padding))
	}
}

// numbers shows the last value of each metric.
func (c *canvas) numbers(p dashboards.Properties, b box) {
	shown := lines(p)
	perRow := min(len(shown), 2)
	width := (b.w - 2*padding) / perRow
	height := (b.h - 2*svg.LineHeight) / ((len(shown) + perRow - 1) / perRow)
	for i, name := range shown {
		values := sample(p.Title+name, healthy(p))
		x, y := b.x+padding+i%perRow*width, b.y+2*svg.LineHeight+i/perRow*height
		c.Text(x, y+height/2, fmt.Sprintf(` font-size="%d" font-weight="700" fill="%s"`, min(26, height/2), colour(i)), fmt.Sprintf("%.0f", values[points-1]))
		c.Text(x, y+height/2+14, svg.Small, fit(name, width-padding))
	}
}

// lines are the labels of what is shown.
func lines(p dashboards.Properties) []string {
	var out []string
	for _, m := range p.Metrics {
		if m.Shown() {
			out = append(out, m.Options.Label)
		}
	}
	return out
}

// palette tells lines apart, for people who see some colours alike, too.
// Source: M. Okabe and K. Ito, "Color Universal Design", without yellow, black and what thresholds have.
var palette = []string{"#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#5d3a9b", "#8c6d31"}

func colour(i int) string { return palette[i%len(palette)] }
