package main

import (
	"net/url"
	"slices"

	"procmon/report"
	"procmon/report/render"
)

// surroundings are the links and the form of a page.
func (v *visit) surroundings() *render.Site {
	return &render.Site{
		Home: "/", Places: []render.Place{
			{Name: "Applications", Address: v.to("/", "by", "application")}, {Name: "Users", Address: v.to("/", "by", "user")},
			{Name: "Accounts", Address: v.to("/", "by", "account")}, {Name: "Jobs", Address: v.to("/", "by", "job,user")},
			{Name: "Months", Address: v.to("/", "by", "month", "last", "365d")}, {Name: "Coverage", Address: v.to("/coverage")},
		},
		Fields: v.fields(),
		Link:   v.link,
		Sort:   func(column string) string { return v.with("sort", column) },
	}
}

// to is an address of this server. A token that came with the address goes on with it.
func (v *visit) to(path string, pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	if token := v.form.Get("token"); token != "" {
		form.Set("token", token)
	}
	if len(form) == 0 {
		return path
	}
	return path + "?" + form.Encode()
}

// with is the address of the report that is asked for, but for some fields.
func (v *visit) with(pairs ...string) string {
	form := url.Values{}
	for _, name := range fieldNames() {
		for _, value := range v.form[name] {
			if value != "" {
				form.Add(name, value)
			}
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	if token := v.form.Get("token"); token != "" {
		form.Set("token", token)
	}
	return "/?" + form.Encode()
}

// link leads from a value to what is known of it, in the same range and with the same filters.
func (v *visit) link(d report.Dimension, value string) string {
	switch d {
	case report.Job:
		return v.to("/job", "id", value)
	case report.Application:
		return v.with("by", "version", "application", value, "sort", "")
	case report.User, report.Account, report.Partition, report.Host, report.Cluster:
		return v.with("by", "application", string(d), value, "sort", "")
	}
	return ""
}

// fieldNames are what an address of a report may have.
func fieldNames() []string {
	names := []string{"by", "last", "since", "until"}
	for _, f := range filters {
		names = append(names, f.flag)
	}
	return append(names, "sort", "limit", "all", "allocated", "compare")
}

// fields are those of the form: filters that are seldom used only where they are.
func (v *visit) fields() []render.Field {
	titles := map[string]string{"by": "Group by", "last": "Last", "since": "From", "until": "Until", "limit": "Rows"}
	hints := map[string]string{"by": "application", "last": "30d", "since": "2026-11-01", "until": "now", "limit": "1000"}
	checks := map[string]string{
		"all": "with launchers, shells and system programs", "allocated": "with allocated time", "compare": "with what changed since the period before",
	}
	seldom := []string{"app-version", "step", "cluster", "executable", "kind", "sort"}
	var fields []render.Field
	for _, name := range fieldNames() {
		if checks[name] != "" {
			fields = append(fields, render.Field{Name: name, Title: checks[name], Check: true, Value: v.form.Get(name)})
			continue
		}
		title := titles[name]
		if title == "" {
			title = name
		}
		values := slices.DeleteFunc(slices.Clone(v.form[name]), func(s string) bool { return s == "" })
		if len(values) == 0 && !slices.Contains(seldom, name) {
			values = []string{""}
		}
		for _, value := range values {
			fields = append(fields, render.Field{Name: name, Title: title, Value: value, Hint: hints[name]})
		}
	}
	if token := v.form.Get("token"); token != "" {
		fields = append(fields, render.Field{Name: "token", Value: token, Hidden: true})
	}
	return fields
}
