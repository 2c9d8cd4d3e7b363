package pages

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Broken says which links between files of the repository at root lead nowhere. Links to other sites are not followed.
func Broken(root string, pages []Page) []string {
	anchors := map[string][]string{}
	for _, p := range pages {
		anchors[p.Path] = p.Anchors
	}
	var broken []string
	for _, p := range pages {
		for _, l := range p.Links {
			to, err := url.Parse(l.Text)
			if err != nil {
				broken = append(broken, fmt.Sprintf("%s:%d: %v", p.Path, l.Line, err))
				continue
			}
			if to.Scheme != "" {
				continue
			}
			target := p.Path
			if to.Path != "" {
				target = path.Join(path.Dir(p.Path), to.Path)
			}
			_, err = os.Stat(filepath.Join(root, filepath.FromSlash(target)))
			switch {
			case strings.HasPrefix(to.Path, "/"), strings.HasPrefix(target, ".."):
				broken = append(broken, fmt.Sprintf("%s:%d: %s leads out of the repository: link from this page's place", p.Path, l.Line, l.Text))
			case err != nil:
				broken = append(broken, fmt.Sprintf("%s:%d: %s is not there", p.Path, l.Line, target))
			case to.Fragment != "" && !slices.Contains(anchors[target], to.Fragment):
				broken = append(broken, fmt.Sprintf("%s:%d: %s has no heading #%s; it has %s", p.Path, l.Line, target, to.Fragment, strings.Join(anchors[target], ", ")))
			}
		}
	}
	return broken
}
