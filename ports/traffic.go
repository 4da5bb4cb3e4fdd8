package ports

import (
	"net/netip"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
)

// Request is what is told of a request to the API that has ended. It holds no
// path, no query and no header: each could hold a secret.
type Request struct {
	At     time.Time // when it came
	Took   time.Duration
	ID     string // ours
	Method string
	Route  string // the pattern of its path; "" when there is none
	Status int    // 0: it was never answered
	Bytes  int64  // of the answer's body
	IP     netip.Addr
	Probe  bool // whoever runs us looked whether we live

	Org id.Org    // whose key it came with; zero: without a good one
	Key id.APIKey // the key itself

	ClientID string // what the client calls the request: their own text
	Code     string // of the problem that it met; "" when it met none
}

// RequestLog takes a line for each request. It must be safe for concurrent use
// and neither fail nor wait: what it takes may be written later, by some 100 ms,
// and is lost when the process is killed meanwhile.
type RequestLog interface {
	Request(Request)
}

// RequestMeter counts requests.
type RequestMeter interface {
	// Requests returns what counts the requests of one operation. It is called
	// once for each operation, so that what it returns need not look for anything.
	// Operations are those of the contract, never what a client sent.
	Requests(operation string) func(status int, took time.Duration)
}
