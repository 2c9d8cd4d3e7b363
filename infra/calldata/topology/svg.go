package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/calldata/calldata-foundation/infra/calldata/internal/svg"
)

// Sizes in pixels.
const (
	margin      = 24
	fontSize    = svg.FontSize
	lineHeight  = svg.LineHeight
	padding     = 10
	channel     = 13 // between two lines of a gutter
	slot        = 18 // between two ends of lines on one side of a lane
	minColumn   = 230
	gap         = 10
	rowHead     = 24
	laneHead    = 20
	numberSize  = 8
	actorHeight = 62
	minActor    = 150
)

const (
	ink, faint, line    = svg.Ink, svg.Faint, svg.Line
	bold, small         = svg.Bold, svg.Small
	frameFill, boxFill  = "#f8fafc", "#ffffff"
	actorFill, laneFill = "#fff8e6", "#ffffffb0"
)

var rowFills = map[string]string{"public": "#e3f0fb", "private": "#e6f4ea", "intra": "#f3e8fb"}

// svg is the picture as a file of its own.
func (p picture) svg() string {
	d := &drawing{picture: p, y: map[string]span{}}
	d.layout()
	return d.render()
}

// span is where a lane lies.
type span struct{ top, bottom int }

// wire is a link that is drawn as a line, with its number in the legend.
type wire struct {
	Link
	number int
	// outer says that it comes from an actor, through the gutter on the left.
	outer bool
	// channel is the line's place in its gutter, from the lanes outwards.
	channel          int
	fromSlot, toSlot int // y of both ends
	fromX, trackY    int // of an actor's line
}

// drawing places a picture.
type drawing struct {
	picture
	svg.Canvas
	column      int // width of one
	actorWidth  int
	left, right int // widths of the gutters
	lanesX      int // where the columns begin
	width       int
	actorsY     int
	rowsY       int
	rowSpans    []span
	y           map[string]span // of lanes
	laneX       [2]int
	wires       []*wire
	rest        []string // lines of the legend without a number
	height      int
}

func (d *drawing) layout() {
	d.column = minColumn
	for _, r := range d.rows {
		for _, cell := range r.cells {
			d.column = max(d.column, svg.Width(cell)+2*padding)
		}
		for _, l := range r.lanes {
			for _, b := range l.boxes {
				width := 0
				for _, text := range append([]string{b.title}, b.lines...) {
					width = max(width, svg.Width(text)+2*padding+4*gap)
				}
				if n := len(d.columns); b.column < 0 {
					width = (width - (n-1)*gap + n - 1) / n
				}
				d.column = max(d.column, width)
			}
		}
	}
	d.actorWidth = minActor
	for _, a := range d.actors {
		for _, text := range append([]string{a.name}, a.lines...) {
			d.actorWidth = max(d.actorWidth, svg.Width(text)+2*padding)
		}
	}
	d.wire()
	outer, inner := 0, 0
	for _, w := range d.wires {
		if w.outer {
			outer++
		} else {
			inner++
		}
	}
	d.left, d.right = 2*gap+(outer+1)*channel+2*numberSize, 2*gap+(inner+1)*channel+2*numberSize
	columns := len(d.columns)*d.column + (len(d.columns)-1)*gap
	d.lanesX = margin + d.left
	d.laneX = [2]int{d.lanesX + gap, d.lanesX + columns - gap}
	actors := len(d.actors)*(d.actorWidth+gap) - gap
	d.width = max(d.lanesX+columns+d.right+margin, d.lanesX+actors+margin, 2*margin+svg.Width(d.subtitle))
	d.actorsY = margin + 3*lineHeight
	d.rowsY = d.actorsY + actorHeight + gap + (outer+1)*channel + lineHeight + gap
	d.stack()
	d.slots()
}

// wire numbers the links: first those from outside, then those inside from top to bottom. What has no two ends in the
// picture is for the legend alone.
func (d *drawing) wire() {
	place := map[string]int{} // from left to right and from top to bottom
	for _, a := range d.actors {
		place[a.id] = len(place)
	}
	for _, r := range d.rows {
		for _, l := range r.lanes {
			place[l.id] = len(place)
		}
	}
	for _, l := range d.links {
		_, from := place[l.From]
		_, to := place[l.To]
		switch {
		case from && to && l.From != l.To:
			d.wires = append(d.wires, &wire{Link: l, outer: place[l.From] < len(d.actors)})
		case l.From == l.To:
			d.rest = append(d.rest, fmt.Sprintf("%s among themselves: %s", d.name(l.To), strings.Join(l.Ports, ", ")))
		case l.From == inside:
			d.rest = append(d.rest, fmt.Sprintf("everything in the network to %s: %s", d.name(l.To), strings.Join(l.Ports, ", ")))
		}
	}
	slices.SortStableFunc(d.wires, func(a, b *wire) int {
		return cmp.Or(cmp.Compare(place[a.From], place[b.From]), cmp.Compare(place[a.To], place[b.To]))
	})
	for i, w := range d.wires {
		w.number = i + 1
	}
	d.rest = append(d.rest, d.notes...)
}

// name is what the picture calls an actor or a lane.
func (d *drawing) name(id string) string {
	for _, a := range d.actors {
		if a.id == id {
			return a.name
		}
	}
	for _, r := range d.rows {
		for _, l := range r.lanes {
			if l.id == id {
				return l.name
			}
		}
	}
	return id
}

// stack gives every lane its height: room for its boxes, and for the ends of its lines.
func (d *drawing) stack() {
	y := d.rowsY
	for _, r := range d.rows {
		top := y
		y += rowHead
		for _, l := range r.lanes {
			ends := [2]int{} // left and right
			for _, w := range d.wires {
				if w.To == l.id && w.outer {
					ends[0]++
				}
				if (w.To == l.id || w.From == l.id) && !w.outer {
					ends[1]++
				}
			}
			height := max(laneHead+d.boxesHeight(l)+gap, (max(ends[0], ends[1])+1)*slot)
			d.y[l.id] = span{y, y + height}
			y += height + gap
		}
		d.rowSpans = append(d.rowSpans, span{top, y})
		y += gap
	}
	d.height = y + gap
}

// boxesHeight is the height of the fullest column of a lane.
func (d *drawing) boxesHeight(l lane) int {
	heights := make([]int, len(d.columns))
	for _, b := range l.boxes {
		for c := range heights {
			if b.column == c || b.column < 0 {
				heights[c] += boxHeight(b) + gap/2
			}
		}
	}
	return slices.Max(append(heights, lineHeight))
}

func boxHeight(b box) int { return padding + lineHeight*(1+len(b.lines)) + padding/2 }

// slots gives every line its channel and its ends so that few lines cross: on the left, who reaches deepest is outermost;
// on the right, longer lines are.
func (d *drawing) slots() {
	var outer, inner []*wire
	for _, w := range d.wires {
		if w.outer {
			outer = append(outer, w)
		} else {
			inner = append(inner, w)
		}
	}
	slices.SortStableFunc(outer, func(a, b *wire) int {
		return cmp.Or(cmp.Compare(d.y[a.To].top, d.y[b.To].top), cmp.Compare(b.number, a.number))
	})
	at := map[string]int{}
	for i, w := range outer {
		w.channel = i
		at[w.To]++
		w.toSlot = d.y[w.To].top + at[w.To]*slot
		w.trackY = d.actorsY + actorHeight + gap + (len(outer)-1-i)*channel
	}
	d.actorEnds(outer)

	length := func(w *wire) int { return max(d.y[w.From].top-d.y[w.To].top, d.y[w.To].top-d.y[w.From].top) }
	slices.SortStableFunc(inner, func(a, b *wire) int { return cmp.Compare(length(a), length(b)) })
	for i, w := range inner {
		w.channel = i
	}
	for id, lane := range d.y {
		type end struct {
			w  *wire
			up bool
			y  *int
		}
		var ends []end
		for _, w := range inner {
			if w.From == id {
				ends = append(ends, end{w, d.y[w.To].top < lane.top, &w.fromSlot})
			}
			if w.To == id {
				ends = append(ends, end{w, d.y[w.From].top < lane.top, &w.toSlot})
			}
		}
		slices.SortStableFunc(ends, func(a, b end) int {
			switch {
			case a.up != b.up && a.up:
				return -1
			case a.up != b.up:
				return 1
			case a.up:
				return cmp.Compare(a.w.channel, b.w.channel)
			}
			return cmp.Compare(b.w.channel, a.w.channel)
		})
		for i, e := range ends {
			*e.y = lane.top + (i+1)*slot
		}
	}
}

// actorX is the left edge of the n-th actor.
func (d *drawing) actorX(n int) int {
	return d.lanesX + n*(d.actorWidth+gap)
}

// actorEnds spreads the lines of an actor along its lower edge, the outermost leftmost.
func (d *drawing) actorEnds(outer []*wire) {
	for n, a := range d.actors {
		var own []*wire
		for _, w := range slices.Backward(outer) {
			if w.From == a.id {
				own = append(own, w)
			}
		}
		for i, w := range own {
			w.fromX = d.actorX(n) + (i+1)*d.actorWidth/(len(own)+1)
		}
	}
}

func (d *drawing) render() string {
	d.Text(margin, margin+lineHeight/2, ` font-size="18" font-weight="700"`, d.title)
	d.Text(margin, margin+2*lineHeight-4, small, d.subtitle)
	d.frames()
	for n, a := range d.actors {
		x := d.actorX(n)
		d.Rect(x, d.actorsY, d.actorWidth, actorHeight, actorFill, line, "")
		d.Text(x+padding, d.actorsY+padding+fontSize-2, bold, a.name)
		for i, text := range a.lines {
			d.Text(x+padding, d.actorsY+padding+fontSize-2+(i+1)*lineHeight, small, text)
		}
	}
	for _, w := range d.wires {
		d.line(w)
	}
	d.legend()
	marker := fmt.Sprintf(`<marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker>`, line)
	return d.File(d.width, d.height, svg.Title{Name: "Topology of " + d.title, Description: d.subtitle}, marker)
}

// frames draws network, tiers, subnets, lanes and boxes.
func (d *drawing) frames() {
	if len(d.rowSpans) == 0 {
		return
	}
	top := d.rowsY - lineHeight - gap
	bottom := d.rowSpans[len(d.rowSpans)-1].bottom + gap
	frameX := margin
	d.Rect(frameX, top, d.lanesX+len(d.columns)*(d.column+gap)-gap+d.right-frameX, bottom-top, frameFill, faint, ` stroke-dasharray="6 4"`)
	d.Text(d.lanesX, top+lineHeight, bold, d.frame)
	for i, r := range d.rows {
		for c, cell := range r.cells {
			x := d.lanesX + c*(d.column+gap)
			d.Rect(x, d.rowSpans[i].top, d.column, d.rowSpans[i].bottom-d.rowSpans[i].top, cmp.Or(rowFills[r.name], "#eef2f6"), "none", "")
			d.Text(x+padding, d.rowSpans[i].top+lineHeight, small, cell)
		}
		for _, l := range r.lanes {
			d.lane(l)
		}
	}
}

func (d *drawing) lane(l lane) {
	at := d.y[l.id]
	d.Rect(d.laneX[0], at.top, d.laneX[1]-d.laneX[0], at.bottom-at.top, laneFill, line, ` stroke-dasharray="2 3"`)
	d.Text(d.laneX[0]+padding, at.top+lineHeight-2, bold+` fill="`+line+`"`, l.name)
	used := make([]int, len(d.columns))
	for _, b := range l.boxes {
		x, width, column := d.laneX[0]+gap, d.laneX[1]-d.laneX[0]-2*gap, b.column
		if column >= 0 {
			x = d.lanesX + column*(d.column+gap) + 2*gap
			width = d.column - 4*gap
		} else {
			column = 0
		}
		y := at.top + laneHead + used[column]
		used[column] += boxHeight(b) + gap/2
		d.Rect(x, y, width, boxHeight(b), boxFill, ink, "")
		d.Text(x+padding, y+padding+fontSize/2+2, bold, b.title)
		for i, text := range b.lines {
			d.Text(x+padding, y+padding+fontSize/2+2+(i+1)*lineHeight, small, text)
		}
	}
}

// line draws one link with its number beside the arrow's head.
func (d *drawing) line(w *wire) {
	var path string
	number := d.laneX[1] + gap + numberSize
	if w.outer {
		x := d.laneX[0] - 2*gap - 2*numberSize - (w.channel+1)*channel
		path = fmt.Sprintf("M%d %dV%dH%dV%dH%d", w.fromX, d.actorsY+actorHeight, w.trackY, x, w.toSlot, d.laneX[0])
		number = d.laneX[0] - gap - numberSize - 2
	} else {
		x := d.laneX[1] + 2*gap + 2*numberSize + (w.channel+1)*channel
		path = fmt.Sprintf("M%d %dH%dV%dH%d", d.laneX[1], w.fromSlot, x, w.toSlot, d.laneX[1])
		number += 2
	}
	d.Printf(`<path d="%s" fill="none" stroke="%s" stroke-width="1.3" stroke-linejoin="round" marker-end="url(#to)"/>`, path, line)
	d.Printf(`<circle cx="%d" cy="%d" r="%d" fill="#ffffff" stroke="%s"/>`, number, w.toSlot, numberSize, line)
	d.Printf(`<text x="%d" y="%d" text-anchor="middle" font-size="10">%d</text>`, number, w.toSlot+4, w.number)
}

// legend says what each number is, in as many columns as fit.
func (d *drawing) legend() {
	lines := make([]string, 0, len(d.wires)+len(d.rest))
	for _, w := range d.wires {
		lines = append(lines, fmt.Sprintf("%d. %s to %s: %s", w.number, d.name(w.From), d.name(w.To), strings.Join(w.Ports, ", ")))
	}
	lines = append(lines, d.rest...)
	if len(lines) == 0 {
		d.height += margin
		return
	}
	longest := 0
	for _, text := range lines {
		longest = max(longest, svg.Width(text)+3*padding)
	}
	columns := max(1, min((d.width-2*margin)/longest, len(lines)))
	perColumn := (len(lines) + columns - 1) / columns
	d.height += lineHeight
	d.Text(margin, d.height, bold, d.caption)
	for i, text := range lines {
		d.Text(margin+(i/perColumn)*longest, d.height+(i%perColumn+1)*lineHeight+4, "", text)
	}
	d.height += (perColumn+1)*lineHeight + margin
	d.width = max(d.width, 2*margin+columns*longest)
}
