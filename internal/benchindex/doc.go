// Command benchindex measures the index and the reports on it: it makes an index of
// a made-up history (package history), says how fast that went and how large the file
// is, and asks what people ask, by procmon-report and beside it by sqlite3.
// "make bench-index" runs it. It needs no root, and room for 150 MB a million runs.
package main
