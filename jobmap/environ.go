package jobmap

import "bytes"

// variable cuts the first NUL-terminated variable off an environment.
func variable(env []byte) (name, value, rest []byte) {
	v := env
	if i := bytes.IndexByte(env, 0); i >= 0 {
		v, rest = env[:i], env[i+1:]
	}
	if i := bytes.IndexByte(v, '='); i >= 0 {
		return v[:i], v[i+1:], rest
	}
	return v, nil, rest
}

// first keeps the first value that a variable has, as getenv(3) does.
func first(to *[]byte, value []byte) {
	if *to == nil {
		*to = value
	}
}

// firstOf is the first that is not empty.
func firstOf(a, b []byte) []byte {
	if len(a) > 0 {
		return a
	}
	return b
}

// text turns a value of the environment into a string that is safe to keep:
// bounded, without control characters. It gives old back where that says the
// same, so that a job's processes share one copy.
func text(value []byte, old string) string {
	if len(value) > maxID || len(value) == 0 {
		return ""
	}
	if string(value) == old {
		return old
	}
	for _, c := range value {
		if c < ' ' || c == 0x7f {
			return ""
		}
	}
	return string(value)
}
