// Package render shows what package report found: as a table or a page for
// people, as JSON and as CSV for programs.
//
// Tables round to units that people read and make text harmless: control
// characters, escape sequences and characters that turn the direction of text
// are shown as escapes. JSON and CSV hold exact values; CSV keeps spreadsheets
// from running text as formulas. Pages are HTML files that need nothing else; html/template
// escapes all that stands in them, and their policy lets nothing run but their own script.
//
// Errors are those of the writer. The package asks no terminal, no clock and
// no environment: width, colour and time zone are Options.
package render
