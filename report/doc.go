// Package report answers questions about recorded runs: it groups what an
// index holds by dimensions such as application, user or job, measures each
// group, and says what was not seen in that time.
//
// It talks to the index only through its views. All questions of one report should be
// asked through one read transaction, so that their answers agree while the index is being written.
//
// Errors: *UnknownError for a name that does not exist, ErrQuery for a query
// that makes no sense, ErrNoJob for a job that is not in the index; any other
// error is the database's own.
//
// It never writes, never shows anything (package render does) and never
// rounds: numbers are exact, times are moments. Text in its answers is what
// users made it and must be made harmless by whoever shows it.
package report
