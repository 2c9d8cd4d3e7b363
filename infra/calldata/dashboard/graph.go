package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/calldata/calldata-foundation/components/observability/dashboards"
	"github.com/calldata/calldata-foundation/infra/calldata/internal/svg"
)

// legendRows is how many rows a graph's legend may have.
const legendRows = 3

// plot is the part of a graph that has its axes.
type plot struct {
	box
	from, to float64 // of the vertical axis
}

// y is where a value is, to a tenth of a pixel.
func (p plot) py(value float64) float64 {
	share := math.Min(1, math.Max(0, (value-p.from)/(p.to-p.from)))
	return float64(p.y+p.h) - share*float64(p.h)
}

func (c *canvas) graph(p dashboards.Properties, b box) {
	names, s := lines(p), healthy(p)
	series := make([][]float64, len(names))
	most := s.to
	for i, name := range names {
		series[i] = sample(p.Title+name, s)
	}
	axis := p.YAxis.Left
	if p.Annotations != nil {
		for _, t := range p.Annotations.Horizontal {
			most = math.Max(most, t.Value)
		}
	}
	if most <= value(axis.Min, 0) {
		most = value(axis.Min, 0) + 1
	}
	at := plot{box: box{b.x + 56, b.y + 40, b.w - 56 - padding, b.h - 40 - (legendRows+1)*(svg.LineHeight-2) - 4}, from: value(axis.Min, 0)}
	step := tick(1.1*most - at.from)
	at.to = at.from + step*math.Ceil((1.1*most-at.from)/step)
	if axis.Max != nil {
		at.to = *axis.Max
	}
	c.axes(at, step, axis.Label, startOf(p, c.start))
	for i := range series {
		c.Printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5" stroke-linejoin="round"/>`, path(at, series[i]), colour(i))
	}
	if p.Annotations != nil {
		c.thresholds(at, p.Annotations.Horizontal)
	}
	c.legend(names, box{b.x + padding, at.y + at.h + 2*(svg.LineHeight-2), b.w - 2*padding, 0})
}

// path are the points of a polyline.
func path(at plot, values []float64) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprintf("%.1f,%.1f", float64(at.x)+float64(i)*float64(at.w)/float64(len(values)-1), at.py(v))
	}
	return strings.Join(parts, " ")
}

// tick is a round step that makes about four of a range.
func tick(reach float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(reach/4)))
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if reach/4 <= factor*power {
			return factor * power
		}
	}
	return 10 * power
}

const axisStyle = ` font-size="9" fill="` + svg.Faint + `"`

func (c *canvas) axes(at plot, step float64, unit, start string) {
	c.Text(at.x-46, at.y-6, axisStyle, unit)
	for n := 0; at.from+float64(n)*step <= at.to*1.0001; n++ {
		v := at.from + float64(n)*step
		c.Printf(`<path d="M%d %.1fH%d" stroke="#e4e9ef"/>`, at.x, at.py(v), at.x+at.w)
		c.Printf(`<text x="%d" y="%.1f" text-anchor="end"%s>%s</text>`, at.x-5, at.py(v)+3, axisStyle, strconv.FormatFloat(v, 'g', 4, 64))
	}
	bottom := at.y + at.h + svg.LineHeight - 4
	c.Text(at.x, bottom, axisStyle, start+" ago")
	c.Text(at.x+at.w, bottom, axisStyle+` text-anchor="end"`, "now")
}

// startOf says how far back a graph goes.
func startOf(p dashboards.Properties, otherwise string) string {
	text := strings.TrimPrefix(p.Start, "-P")
	if text == "" {
		text = strings.TrimPrefix(otherwise, "-P")
	}
	if hours, ok := strings.CutPrefix(text, "T"); ok {
		return strings.TrimSuffix(hours, "H") + " hours"
	}
	return strings.TrimSuffix(text, "D") + " days"
}

// thresholds draws the lines of alarms with the side that is wrong, their labels one above the other where they would overlap.
func (c *canvas) thresholds(at plot, all []dashboards.Threshold) {
	var taken []float64
	for _, t := range all {
		y := at.py(t.Value)
		top, height := float64(at.y), y-float64(at.y)
		if t.Fill == "below" {
			top, height = y, float64(at.y+at.h)-y
		}
		c.Printf(`<rect x="%d" y="%.1f" width="%d" height="%.1f" fill="%s" fill-opacity="0.07"/>`, at.x, top, at.w, height, t.Color)
		c.Printf(`<path d="M%d %.1fH%d" stroke="%s" stroke-dasharray="5 3"/>`, at.x, y, at.x+at.w, t.Color)
		label, step := math.Max(y-3, float64(at.y+8)), 10.0
		if y > float64(at.y+at.h/2) { // there is no room below the lowest
			step = -step
		}
		for slices.ContainsFunc(taken, func(other float64) bool { return math.Abs(other-label) < 10 }) {
			label += step
		}
		taken = append(taken, label)
		c.Printf(`<text x="%d" y="%.1f" text-anchor="end" font-size="9" fill="%s" stroke="%s" stroke-width="2.5" paint-order="stroke">%s</text>`,
			at.x+at.w-2, label, t.Color, paper, svg.Escape(fit(t.Label, at.w*4/3)))
	}
}

// legend says which line is which, as far as there is room.
func (c *canvas) legend(names []string, b box) {
	x, y, rows := b.x, b.y, 1
	for i, name := range names {
		name = fit(name, b.w-20)
		width := svg.Width(name)*10/svg.FontSize + 22
		if x > b.x && x+width > b.x+b.w {
			x, y, rows = b.x, y+svg.LineHeight-2, rows+1
		}
		if rest := len(names) - i; rows == legendRows && rest > 1 && x+width+70 > b.x+b.w {
			c.Text(x, y, axisStyle, fmt.Sprintf("and %d more", rest))
			return
		}
		c.Printf(`<rect x="%d" y="%d" width="8" height="8" fill="%s"/>`, x, y-8, colour(i))
		c.Text(x+12, y, ` font-size="10"`, name)
		x += width
	}
}
