// Package svg writes pictures as files of their own: without fonts, scripts or anything from elsewhere.
package svg

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes in pixels. Text is estimated, because no font is measured: sans-serif is on average half as wide as it is high.
const (
	FontSize   = 12
	LineHeight = 16
	charWidth  = 6.6
)

// Colours, dark enough on white to be read and printed.
const (
	Ink   = "#1f2933"
	Faint = "#52606d"
	Line  = "#486581"
)

// Styles of text.
const (
	Bold  = ` font-weight="600"`
	Small = ` fill="` + Faint + `" font-size="11"`
)

// Width is about how wide a text of FontSize is.
func Width(text string) int { return int(float64(len([]rune(text))) * charWidth) }

// Escape is text that may stand between tags.
func Escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes everything
	return b.String()
}

// Canvas collects what is drawn.
type Canvas struct{ body strings.Builder }

// Printf adds an element as it is.
func (c *Canvas) Printf(format string, args ...any) { fmt.Fprintf(&c.body, format+"\n", args...) }

// Text adds a line of text whose baseline begins at x, y.
func (c *Canvas) Text(x, y int, style, text string) {
	c.Printf(`<text x="%d" y="%d"%s>%s</text>`, x, y, style, Escape(text))
}

// Rect adds a rectangle with round corners.
func (c *Canvas) Rect(x, y, w, h int, fill, stroke, more string) {
	c.Printf(`<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="%s"%s/>`, x, y, w, h, fill, stroke, more)
}

// Title is a picture's, for who does not see it, too.
type Title struct{ Name, Description string }

// File is the whole picture. Definitions, such as markers, may be empty.
func (c *Canvas) File(width, height int, title Title, definitions string) string {
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" font-family="system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif" font-size="%d" fill="%s">`+"\n",
		width, height, width, height, FontSize, Ink)
	fmt.Fprintf(&out, "<title>%s</title>\n<desc>%s</desc>\n", Escape(title.Name), Escape(title.Description))
	if definitions != "" {
		fmt.Fprintf(&out, "<defs>%s</defs>\n", definitions)
	}
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	out.WriteString(c.body.String())
	out.WriteString("</svg>\n")
	return out.String()
}
