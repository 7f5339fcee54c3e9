// SPDX-License-Identifier: MIT

// A client of HTTP/3 by quic-go for tests/interop/run.py: main CASE PORT. It exits with
// 0 if all is as expected, 77 if quic-go cannot do that, and otherwise 1.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlog"
)

const large = 3_000_000

type sessions struct {
	tls.ClientSessionCache
	arrived chan struct{}
}

func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(key, state)
	if state != nil {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}
}

type client struct {
	host      string
	port      string
	sessions  *sessions
	versions  []quic.Version
	hasTrace  bool
	conn      *quic.Conn
	transport *http3.Transport
	socket    *quic.Transport
}

func (c *client) open() error {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{})
	if err != nil {
		return err
	}
	c.socket = &quic.Transport{Conn: udp}
	conf := &quic.Config{Versions: c.versions}
	if c.hasTrace {
		conf.Tracer = qlog.DefaultConnectionTracer
	}
	c.transport = &http3.Transport{
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true,
			ServerName:         "localhost",
			ClientSessionCache: c.sessions,
		},
		QUICConfig: conf,
		Dial: func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			to, err := net.ResolveUDPAddr("udp", net.JoinHostPort(c.host, c.port))
			if err != nil {
				return nil, err
			}
			c.conn, err = c.socket.DialEarly(ctx, to, t, q)
			return c.conn, err
		},
	}
	return nil
}

func (c *client) close() {
	c.transport.Close()
	c.socket.Close()
}

func (c *client) ask(method, path string, body []byte) ([]byte, error) {
	url := "https://localhost:" + c.port + path
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body == nil {
		req.Body = nil
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return got, err
}

func pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return data
}

func (c *client) get(n int) error {
	got, err := c.ask("GET", fmt.Sprintf("/bytes/%d", n), nil)
	if err == nil && !bytes.Equal(got, pattern(n)) {
		err = fmt.Errorf("%d bytes of %d", len(got), n)
	}
	return err
}

func (c *client) transfer() error {
	if err := c.get(large); err != nil {
		return err
	}
	sent := pattern(large / 3)
	got, err := c.ask("POST", "/echo", sent)
	if err == nil && !bytes.Equal(got, sent) {
		err = errors.New("the body has changed")
	}
	return err
}

func (c *client) multiplexing() error {
	results := make(chan error, 200)
	for i := 0; i < cap(results); i++ {
		go func() { results <- c.get(1000 + i) }()
	}
	for i := 0; i < cap(results); i++ {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

// Runs again on another connection, which uses the session of the first one.
func (c *client) again(early bool) error {
	if err := c.get(100); err != nil {
		return err
	}
	select {
	case <-c.sessions.arrived:
	case <-time.After(5 * time.Second):
		return errors.New("no ticket")
	}
	c.close()
	if err := c.open(); err != nil {
		return err
	}
	method := "GET"
	if early {
		method = http3.MethodGet0RTT
	}
	got, err := c.ask(method, "/early", nil)
	if err != nil {
		return err
	}
	<-c.conn.HandshakeComplete()
	state := c.conn.ConnectionState()
	if !state.TLS.DidResume {
		return errors.New("not resumed")
	}
	if early && (!state.Used0RTT || string(got) != "1") {
		return fmt.Errorf("0-RTT: %v, early-data: %s", state.Used0RTT, got)
	}
	return nil
}

func (c *client) keyUpdate() error {
	folder, err := os.MkdirTemp("", "qlog")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	os.Setenv("QLOGDIR", folder)
	c.hasTrace = true
	if err := c.open(); err != nil {
		return err
	}
	if err := c.transfer(); err != nil {
		return err
	}
	c.close()
	time.Sleep(200 * time.Millisecond)
	files, _ := filepath.Glob(folder + "/*")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if strings.Contains(string(text), "key_updated") && strings.Contains(string(text), "\"key_phase\":1") {
			return nil
		}
	}
	return errors.New("no key was updated")
}

func (c *client) migration() error {
	if err := c.get(1000); err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{})
		if err != nil {
			return err
		}
		path, err := c.conn.AddPath(&quic.Transport{Conn: udp})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err = path.Probe(ctx)
		cancel()
		if err == nil {
			err = path.Switch()
		}
		if err == nil {
			err = c.get(100_000)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *client) run(name string) error {
	if name == "v2" {
		c.versions = []quic.Version{quic.Version2}
	}
	if err := c.open(); err != nil {
		return err
	}
	switch name {
	case "handshake", "v2":
		return c.get(100)
	case "transfer":
		return c.transfer()
	case "multiplexing":
		return c.multiplexing()
	case "resumption":
		return c.again(false)
	case "zerortt":
		return c.again(true)
	case "keyupdate":
		return c.keyUpdate()
	case "migration":
		return c.migration()
	}
	os.Exit(77)
	return nil
}

func main() {
	cache := &sessions{tls.NewLRUClientSessionCache(8), make(chan struct{}, 8)}
	c := &client{host: "127.0.0.1", port: os.Args[2], sessions: cache}
	if len(os.Args) > 3 {
		c.host = os.Args[3]
	}
	if err := c.run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c.close()
}
