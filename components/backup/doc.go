// Package backup has AWS Backup copy volumes and databases into an encrypted vault once a day. It finds them by a tag, so
// that nothing has to know of it, and a locked vault keeps the copies from whoever could delete the originals.
package backup
