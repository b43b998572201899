package appmap

import (
	"bytes"
	"encoding/json"
)

// scanCondaMeta reads a file of conda-meta in one pass: package and version,
// and each path of its list of files. Such files are often of a megabyte, and
// most of it is of no use here. ok is false when it is no JSON object; each may
// have been called by then.
func scanCondaMeta(data []byte, each func(file []byte)) (name, version string, ok bool) {
	s := jsonScan{rest: data}
	if !s.token('{') {
		return "", "", false
	}
	for first := true; !s.token('}'); first = false {
		if !first && !s.token(',') {
			return "", "", false
		}
		key, ok := s.text()
		if !ok || !s.token(':') {
			return "", "", false
		}
		switch string(key) {
		case "name":
			name, ok = s.word()
		case "version":
			version, ok = s.word()
		case "files":
			ok = s.texts(each)
		default:
			ok = s.skip()
		}
		if !ok {
			return "", "", false
		}
	}
	return name, version, true
}

// jsonScan walks JSON text (RFC 8259) without making values of it.
type jsonScan struct{ rest []byte }

// token takes one structural character, if it is next.
func (s *jsonScan) token(c byte) bool {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// text takes a string; it is unescaped only if need be.
func (s *jsonScan) text() ([]byte, bool) {
	if !s.token('"') {
		return nil, false
	}
	end := endOfText(s.rest)
	if end < 0 {
		return nil, false
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	var plain string
	quoted := append(append([]byte{'"'}, text...), '"')
	if json.Unmarshal(quoted, &plain) != nil {
		return nil, false
	}
	return []byte(plain), true
}

// endOfText finds the quotation mark that ends a string, or gives -1.
func endOfText(b []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '"')
		if i < 0 {
			return -1
		}
		end := from + i
		slashes := 0
		for end-slashes > 0 && b[end-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		from = end + 1
	}
}

func (s *jsonScan) word() (string, bool) {
	text, ok := s.text()
	return cleanWord(string(text)), ok
}

// texts takes an array of strings.
func (s *jsonScan) texts(each func([]byte)) bool {
	if !s.token('[') {
		return false
	}
	for first := true; !s.token(']'); first = false {
		if !first && !s.token(',') {
			return false
		}
		text, ok := s.text()
		if !ok {
			return false
		}
		each(text)
	}
	return true
}

// skip passes over one value of any kind. Nesting costs no stack.
func (s *jsonScan) skip() bool {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	for depth, i := 0, 0; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '"':
			end := endOfText(s.rest[i+1:])
			if end < 0 {
				return false
			}
			i += end + 1
			if depth == 0 {
				s.rest = s.rest[i+1:]
				return true
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what holds the value
				s.rest = s.rest[i:]
				return i > 0
			}
			if depth--; depth == 0 {
				s.rest = s.rest[i+1:]
				return true
			}
		case ',':
			if depth == 0 {
				s.rest = s.rest[i:]
				return i > 0
			}
		}
	}
	return false
}
