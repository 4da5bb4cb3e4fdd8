package postgres

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/ulikunitz/xz"
)

// repository serves an archive laid out as the public one is, whose programs only know their version.
func repository(t *testing.T, version string) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	bin := install(t, filepath.Join(dir, "bin"), version)
	// The library starts the database to finish a download. Ours cannot start, as none can for root.
	writeProgram(t, filepath.Join(bin, "pg_ctl"), []byte("#!/bin/sh\nexit 1\n"))
	content := pack(t, dir)
	var jar bytes.Buffer
	writer := zip.NewWriter(&jar)
	entry, err := writer.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(jar.Bytes())
	}))
	t.Cleanup(server.Close)
	return server
}

// pack makes the .txz of a folder.
func pack(t *testing.T, dir string) []byte {
	t.Helper()
	var archive bytes.Buffer
	compressed, err := xz.NewWriter(&archive)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(compressed)
	for _, err := range []error{files.AddFS(os.DirFS(dir)), files.Close(), compressed.Close()} {
		if err != nil {
			t.Fatalf("pack: %v", err)
		}
	}
	return archive.Bytes()
}

func TestDownload(t *testing.T) {
	t.Run("Should fetch the programs once and use them from then on", func(t *testing.T) {
		is := is.New(t)
		server := repository(t, "18.3")
		folder := filepath.Join(t.TempDir(), "download")
		var notes []string
		note := func(message string) { notes = append(notes, message) }

		found, err := download(t.Context(), folder, server.URL+"/", note)
		is.NoErr(err)
		is.Equal(found.Release, Release{18, 3})
		server.Close()
		again, err := download(t.Context(), folder, server.URL, note)
		is.NoErr(err)
		is.Equal(again, found)
		is.Equal(len(notes), 1) // told once that it takes a while
	})

	t.Run("Should leave nothing in the temporary folder, whether it succeeds or fails", func(t *testing.T) {
		is := is.New(t)
		temporary := t.TempDir()
		good, none := repository(t, "18.3"), httptest.NewServer(http.NotFoundHandler())
		defer none.Close()
		folder := filepath.Join(t.TempDir(), "download")
		t.Setenv("TMPDIR", temporary)
		_, err := download(t.Context(), folder, none.URL, func(string) {})
		is.True(err != nil)
		_, err = download(t.Context(), folder, good.URL, func(string) {})
		is.NoErr(err)
		left, err := os.ReadDir(temporary)
		is.NoErr(err)
		is.Equal(len(left), 0)
		is.Equal(os.Getenv("TMPDIR"), temporary) // as it was
	})

	t.Run("Should refuse a download that is too old", func(t *testing.T) {
		is := is.New(t)
		_, err := download(t.Context(), filepath.Join(t.TempDir(), "download"), repository(t, "17.5").URL, func(string) {})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "CVE-2025-8713"))
	})
}
