package pages

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Page is a Markdown file.
type Page struct {
	// Path is where it is, from the repository's root, with slashes.
	Path string
	// Fences are its blocks of code, Spans its code within text, Links where it points to.
	Fences []Fence
	Spans  []Text
	Links  []Text
	// Anchors are the fragments that GitHub makes of its headings.
	Anchors []string
}

// Text is something in a page.
type Text struct {
	// Line counts from 1. Of code and links within text it is where their paragraph begins.
	Line int
	Text string
}

// Fence is a block of code.
type Fence struct {
	Text
	// Language is the first word after the opening fence, Mark what follows. GitHub takes the first and shows neither.
	Language, Mark string
}

// Read reads every page of the repository at root, in the order of their paths.
func Read(root string) ([]Page, error) {
	var pages []Page
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (name == "bin" || name == "testdata" || strings.HasPrefix(name, ".") && name != ".github") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path) //nolint:gosec // the repository's
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		pages = append(pages, Parse(filepath.ToSlash(rel), string(data)))
		return err
	})
	return pages, err
}

var (
	opening = regexp.MustCompile("^( *)(`{3,}|~{3,}) *(\\S*) *(.*)$")
	heading = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
)

// Parse reads a page as far as tests need it: fences, headings that begin with #, code within text, and links.
func Parse(path, text string) Page {
	p := Page{Path: path}
	seen := map[string]int{}
	var paragraph []string
	lines := strings.Split(text, "\n")
	flush := func(end int) {
		if len(paragraph) > 0 {
			p.inline(end-len(paragraph)+1, strings.Join(paragraph, " "))
		}
		paragraph = nil
	}
	for i := 0; i < len(lines); i++ {
		if open := opening.FindStringSubmatch(lines[i]); open != nil {
			flush(i)
			f := Fence{Text: Text{Line: i + 1}, Language: open[3], Mark: open[4]}
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != open[2]; i++ {
				f.Text.Text += strings.TrimPrefix(lines[i], open[1]) + "\n"
			}
			p.Fences = append(p.Fences, f)
			continue
		}
		if title := heading.FindStringSubmatch(lines[i]); title != nil {
			flush(i)
			p.Anchors = append(p.Anchors, unique(slug(title[1]), seen))
		}
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "- ") { // each row and item stands alone
			flush(i)
		}
		if line != "" {
			paragraph = append(paragraph, line)
		}
	}
	flush(len(lines))
	return p
}

var (
	span = regexp.MustCompile("(`+)(.+?)(`+)")
	link = regexp.MustCompile(`\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?: "[^"]*")?\)|^\[[^\]]+\]: +(\S+)`)
)

// inline finds code and links in a paragraph.
func (p *Page) inline(line int, text string) {
	text = span.ReplaceAllStringFunc(text, func(found string) string {
		p.Spans = append(p.Spans, Text{line, strings.ReplaceAll(strings.TrimSpace(strings.Trim(found, "`")), `\|`, "|")})
		return "" // brackets in code make no link
	})
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		p.Links = append(p.Links, Text{line, found[1] + found[2]})
	}
}

var (
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_\- ]`)
)

// slug is the fragment of a heading, as GitHub's HTML pipeline makes it (lib/html/pipeline/toc_filter.rb).
func slug(title string) string {
	title = linked.ReplaceAllString(title, "$1")
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

// unique numbers headings of the same name.
func unique(name string, seen map[string]int) string {
	n := seen[name]
	seen[name]++
	if n == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(n)
}
