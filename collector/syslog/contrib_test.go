package syslog

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// leaves lists the dotted names of all values, arrays taken as one.
func leaves(prefix string, v any, into map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			leaves(prefix+"."+name, inner, into)
		}
	case []any:
		for _, inner := range v {
			leaves(prefix, inner, into)
		}
	default:
		into[strings.TrimPrefix(prefix, ".")] = v
	}
}

// everyName is every name that the lines of a golden file, and a line that had
// to be cut, have, with one value of each.
func everyName(t *testing.T, schema Schema) map[string]any {
	t.Helper()
	b, err := os.ReadFile("testdata/" + string(schema) + ".golden")
	if err != nil {
		t.Fatal(err)
	}
	cut := worst()
	b = append(b, "cut: "...)
	b = append(newEncoder(schema, 20_000, schema == SchemaECS).line(b, &cut), '\n')
	names := map[string]any{}
	for line := range bytes.Lines(b) {
		_, line, _ = bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if len(line) > 0 {
			leaves("", decode(t, line), names)
		}
	}
	return names
}

// Every name is told in the documentation, and nothing else is.
func TestNamesDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/json-lines.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(b, -1) {
		documented[string(m[1])] = true
	}
	names := everyName(t, SchemaECS)
	names["hpc.applications_truncated"] = 1.0 // TestApplicationsTruncated
	for name := range everyName(t, SchemaClassic) {
		names[name] = ""
	}
	seen := map[string]bool{}
	for name := range names {
		for _, group := range []string{"hpc.status.counts.", "hpc.applications.usage."} {
			if strings.HasPrefix(name, group) {
				name = group + "*"
			}
		}
		seen[name] = true
		if !documented[name] {
			t.Errorf("docs/json-lines.md does not tell of %s", name)
		}
	}
	for name := range documented {
		if !seen[name] {
			t.Errorf("docs/json-lines.md tells of %s, which no line has", name)
		}
	}
}

// The template gives every name a type that its values fit.
func TestElasticTemplate(t *testing.T) {
	b, err := os.ReadFile("../../contrib/elastic/index-template.json")
	if err != nil {
		t.Fatal(err)
	}
	type field struct {
		Type       string
		Dynamic    bool
		Properties map[string]json.RawMessage
	}
	var template struct {
		Template struct{ Mappings json.RawMessage }
	}
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	fits := map[string][]string{"string": {"keyword", "wildcard", "date"}, "number": {"long"}, "bool": {"boolean"}}
	for name, value := range everyName(t, SchemaECS) {
		raw := template.Template.Mappings
		var f field
		for part := range strings.SplitSeq(name, ".") {
			if err := json.Unmarshal(raw, &f); err != nil {
				t.Fatal(name, err)
			}
			if f.Dynamic {
				break
			}
			raw = f.Properties[part]
			f = field{}
			if raw == nil {
				t.Errorf("the template has no %s", name)
				break
			}
			if err := json.Unmarshal(raw, &f); err != nil {
				t.Fatal(name, err)
			}
		}
		kind := "string"
		switch value.(type) {
		case float64:
			kind = "number"
		case bool:
			kind = "bool"
		}
		if raw != nil && !f.Dynamic && !slices.Contains(fits[kind], f.Type) {
			t.Errorf("%s is a %s, the template says %q", name, kind, f.Type)
		}
	}
}

// The aliases are made of names that lines have.
func TestSplunkNames(t *testing.T) {
	b, err := os.ReadFile("../../contrib/splunk/props.conf")
	if err != nil {
		t.Fatal(err)
	}
	names := everyName(t, SchemaECS)
	used := regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(string(b), ""), -1)
	if len(used) < 15 {
		t.Fatal("found only", len(used), "names")
	}
	for _, m := range used {
		if _, ok := names[strings.TrimSuffix(m[1], "{}")]; !ok {
			t.Errorf("props.conf uses %s, which no line has", m[1])
		}
	}
	r := sampleRun()
	line := newEncoder(SchemaECS, ownLine, false).line(nil, &r)
	if !bytes.HasPrefix(line, []byte(`{"@timestamp":"20`)) || ownLine >= 70_000 {
		t.Error("TIME_PREFIX or TRUNCATE of props.conf does not fit the lines")
	}
}
