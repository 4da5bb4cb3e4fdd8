package httpapi

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// maxDepth is how deep arrays and objects may be nested. Contracts of people
// stay far below it; a bomb does not.
const maxDepth = 32

// parseStrict reads exactly one JSON value and refuses what readers of JSON
// disagree about, so that what was checked is what every later reader sees:
// names that occur twice, bytes that are not UTF-8, halves of surrogate pairs,
// NUL (which Postgres can not store), numbers beyond a float64, and anything
// after the value. Numbers stay as they are written. It fails with
// fault.ErrInvalid, naming the place.
func parseStrict(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, fault.InvalidField("", "encoding", "must be valid UTF-8")
	}
	p := parser{in: body}
	p.space()
	if p.at == len(p.in) {
		return nil, fault.InvalidField("", "required", "must not be empty")
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.at != len(p.in) {
		return nil, fault.InvalidField("", "trailing", "must be one JSON value with nothing after it")
	}
	return v, nil
}

// parser reads in from at on. path is where it is, as a JSON pointer; it is
// written on the way in and cut on the way out, so that a good body costs no
// text.
type parser struct {
	in   []byte
	at   int
	path []byte
}

func (p *parser) value(depth int) (any, error) {
	if p.at == len(p.in) {
		return nil, p.syntax()
	}
	switch c := p.in[p.at]; {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.array(depth + 1)
	case c == '"':
		return p.text()
	case c == '-' || isDigit(c):
		return p.number()
	}
	for _, l := range literals {
		if strings.HasPrefix(string(p.in[p.at:min(len(p.in), p.at+len(l.text))]), l.text) {
			p.at += len(l.text)
			return l.value, nil
		}
	}
	return nil, p.syntax()
}

var literals = []struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (p *parser) object(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.tooDeep()
	}
	out := map[string]any{}
	p.at++ // the brace
	p.space()
	if p.accept('}') {
		return out, nil
	}
	for {
		if p.at == len(p.in) || p.in[p.at] != '"' {
			return nil, p.syntax()
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		outer := len(p.path)
		p.path = append(p.path, pointerTo("", name)...)
		if _, twice := out[name]; twice {
			return nil, p.broken("duplicate", "stands here more than once")
		}
		p.space()
		if !p.accept(':') {
			return nil, p.syntax()
		}
		p.space()
		if out[name], err = p.value(depth); err != nil {
			return nil, err
		}
		p.path = p.path[:outer]
		if more, err := p.more('}'); err != nil || !more {
			return out, err
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.tooDeep()
	}
	out := []any{}
	p.at++ // the bracket
	p.space()
	if p.accept(']') {
		return out, nil
	}
	for {
		outer := len(p.path)
		p.path = strconv.AppendInt(append(p.path, '/'), int64(len(out)), 10)
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		p.path = p.path[:outer]
		if more, err := p.more(']'); err != nil || !more {
			return out, err
		}
	}
}

// more reads what follows an item: a comma and another item, or the end.
func (p *parser) more(end byte) (bool, error) {
	p.space()
	if p.accept(end) {
		return false, nil
	}
	if !p.accept(',') {
		return false, p.syntax()
	}
	p.space()
	return true, nil
}

// text reads a string that begins at the present quote.
func (p *parser) text() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '"':
			p.at++
			return string(p.in[start : p.at-1]), nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return "", p.control(c)
		default:
			p.at++
		}
	}
	return "", p.syntax()
}

// escaped goes on with a string that holds an escape.
func (p *parser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.in[start:p.at]...)
	for p.at < len(p.in) {
		c := p.in[p.at]
		switch {
		case c == '"':
			p.at++
			return string(out), nil
		case c < ' ':
			return "", p.control(c)
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", p.syntax()
}

// simpleEscapes are the escapes of one character, at the place of their meaning.
const simpleEscapes, simpleMeanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

// escape reads the escape at the present backslash.
func (p *parser) escape() (rune, error) {
	if p.at+1 >= len(p.in) {
		return 0, p.syntax()
	}
	if i := strings.IndexByte(simpleEscapes, p.in[p.at+1]); i >= 0 {
		p.at += 2
		return rune(simpleMeanings[i]), nil
	}
	r, ok := p.unit()
	switch {
	case !ok:
		return 0, p.syntax()
	case r == 0:
		return 0, p.control(0)
	case !utf16.IsSurrogate(r):
		return r, nil
	}
	low, _ := p.unit()
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, p.broken("encoding", "must not hold half of a surrogate pair")
	}
	return r, nil
}

// unitLen is the length of an escape such as \u00e9.
const unitLen = 6

// unit reads one UTF-16 unit, as \u and four hexadecimal digits.
func (p *parser) unit() (rune, bool) {
	if p.at+unitLen > len(p.in) || p.in[p.at] != '\\' || p.in[p.at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.in[p.at+2:p.at+unitLen]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += unitLen
	return rune(n), true
}

// number reads a number by the grammar of RFC 8259, section 6.
func (p *parser) number() (any, error) {
	start := p.at
	p.accept('-')
	if !p.accept('0') && !p.digits() {
		return nil, p.syntax()
	}
	if p.accept('.') && !p.digits() {
		return nil, p.syntax()
	}
	if p.accept('e') || p.accept('E') {
		if !p.accept('+') {
			p.accept('-')
		}
		if !p.digits() {
			return nil, p.syntax()
		}
	}
	s := string(p.in[start:p.at])
	if _, err := strconv.ParseFloat(s, 64); errors.Is(err, strconv.ErrRange) {
		return nil, p.broken("range", "is a number beyond what a float64 holds")
	}
	return json.Number(s), nil
}

func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.in) && isDigit(p.in[p.at]) {
		p.at++
	}
	return p.at > start
}

func (p *parser) accept(c byte) bool {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) space() {
	for p.at < len(p.in) && strings.IndexByte(" \t\r\n", p.in[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) broken(rule, detail string) error {
	return fault.InvalidField(string(p.path), rule, detail)
}

func (p *parser) syntax() error {
	return p.broken("syntax", "is not JSON, at byte "+strconv.Itoa(p.at))
}

func (p *parser) tooDeep() error {
	return p.broken("depth", "is nested more than "+strconv.Itoa(maxDepth)+" levels deep")
}

func (p *parser) control(c byte) error {
	if c == 0 {
		return p.broken("characters", "must not hold NUL")
	}
	return p.broken("characters", "must not hold control characters that are not escaped")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// pointerEscapes are those of RFC 6901, section 3.
var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointerTo returns the JSON pointer of a name below parent.
func pointerTo(parent, name string) string {
	return parent + "/" + pointerEscapes.Replace(name)
}
