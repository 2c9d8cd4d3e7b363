// Package pages reads the repository's Markdown pages, so that tests can compare what they say with what there is: their
// commands, the links between them, and the files that they name.
package pages
