package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Connections is how many clients ask a server at once, each for one thing at a
// time.
const Connections = 32

// Target is a server and the one request that it is asked again and again.
type Target struct {
	Name    string
	Address string // host:port
	PID     int    // whose processor time is measured
	Request string // as it goes over the wire
	Words   string // a file of words of one length, a line each, or "": then each request holds another one in the place of Word
}

// Word is what a request holds where another word is to stand each time. It is as long
// as an API key, so that the request's length is what its headers say.
const Word = "WORDWORDWORDWORDWORDWORDWORDWORDWORDWORDWORDWORDWORDW"

// Post returns the request of a POST of JSON with the headers given.
func Post(address, path, body string, headers ...string) string {
	lines := append([]string{
		"POST " + path + " HTTP/1.1", "Host: " + address, "Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(body)),
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// Warm asks once with each word. An answer that is not a success fails the comparison.
func (g Target) Warm(t *T) {
	t.Helper()
	began := time.Now()
	load := g.ask(t, 0)
	t.Logf("%s: %d requests to warm up, %v", g.Name, load.Requests, time.Since(began).Round(time.Second))
}

// ask asks the target for a while, or once with each word.
func (g Target) ask(t *T, limit time.Duration) Load {
	t.Helper()
	var load Load
	StartProgram(t, &load, loadProgram, g.Address, g.Request, limit.String(), g.Words).Stop()
	if load.Failure != "" {
		t.Fatalf("%s: %s", g.Name, load.Failure)
	}
	return load
}

// Get returns the request of a GET with the headers given.
func Get(address, path string, headers ...string) string {
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: " + address}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// Side returns the target as a side whose rounds measure "requests/s", "p50 ms",
// "p99 ms", and "CPU µs/request", of the server's process. Who asks is a process
// of its own. An answer that is not a success fails the comparison.
func (g Target) Side(t *T) Side {
	return Side{Name: g.Name, Round: func() Sample {
		t.Helper()
		before := CPU(t, g.PID)
		load := g.ask(t, t.Round)
		used := CPU(t, g.PID) - before
		return Sample{
			"requests/s": float64(load.Requests) / load.Seconds, "p50 ms": load.P50, "p99 ms": load.P99,
			"CPU µs/request": float64(used.Microseconds()) / float64(load.Requests),
		}
	}}
}

// Load is what asking a server brought to light.
type Load struct {
	Requests int
	Seconds  float64
	P50, P99 float64 // milliseconds
	Failure  string  // of the first request that failed
}

const loadProgram = "load"

// runLoad is the program that asks. It writes the bytes of the request and reads
// no more of an answer than its status and its length: what it spends itself is
// missing to the server, and makes all servers look alike.
func runLoad(ctx context.Context, ready func(any) error, args []string) error {
	if len(args) != 4 {
		return errors.New("usage: load ADDRESS REQUEST DURATION WORDS")
	}
	limit, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	requests, err := requestsOf(args[1], args[3])
	if err != nil {
		return err
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var clients sync.WaitGroup
	took, failures := make([][]time.Duration, Connections), make([]error, Connections)
	start := time.Now()
	for i := range Connections {
		clients.Go(func() { took[i], failures[i] = ask(ctx, args[0], requests.of(i, limit > 0)) })
	}
	clients.Wait()
	all := slices.Sorted(func(yield func(time.Duration) bool) {
		for _, one := range took {
			for _, d := range one {
				if !yield(d) {
					return
				}
			}
		}
	})
	load := Load{Requests: len(all), Seconds: time.Since(start).Seconds()}
	if err := errors.Join(failures...); err != nil {
		load.Failure = err.Error()
	} else if len(all) == 0 {
		load.Failure = "no answer within " + args[2]
	} else {
		ms := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1000 }
		load.P50, load.P99 = ms(0.5), ms(0.99)
	}
	return ready(load)
}

// requests is a request, and the words that take turns in it.
type requests struct {
	text  string
	words []string
}

func requestsOf(text, path string) (requests, error) {
	if path == "" {
		return requests{text: text}, nil
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return requests{}, err
	}
	r := requests{text: text, words: strings.Fields(string(file))}
	if !strings.Contains(text, Word) || len(r.words) < Connections || len(r.words[0]) != len(Word) {
		return requests{}, errors.New("a request without a place for words of that length, or too few of them")
	}
	return r, nil
}

// of returns the requests of one of the clients. With words each client has a share of
// them: it begins anywhere in it and goes round for ever, or through it once.
func (r requests) of(client int, forever bool) iter.Seq[[]byte] {
	request := []byte(r.text)
	if r.words == nil {
		return func(yield func([]byte) bool) {
			for yield(request) {
			}
		}
	}
	place := strings.Index(r.text, Word)
	share := r.words[client*len(r.words)/Connections : (client+1)*len(r.words)/Connections]
	return func(yield func([]byte) bool) {
		begin := 0
		if forever {
			begin = rand.IntN(len(share))
		}
		for i := 0; forever || i < len(share); i++ {
			copy(request[place:], share[(begin+i)%len(share)])
			if !yield(request) {
				return
			}
		}
	}
}

// ask is one client: it sends requests and waits for their answers until ctx ends, or
// there are no more, and returns how long each took.
func ask(ctx context.Context, address string, all iter.Seq[[]byte]) ([]time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	var took []time.Duration
	for request := range all {
		if ctx.Err() != nil {
			break
		}
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// readAnswer reads a whole answer, which must be a success of a stated length.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 2")) {
		return fmt.Errorf("answered %s", textproto.TrimBytes(line))
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, is := bytes.CutPrefix(line, []byte("Content-Length:")); is {
			if length, err = strconv.Atoi(string(textproto.TrimBytes(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without a length")
	}
	_, err = r.Discard(length)
	return err
}
