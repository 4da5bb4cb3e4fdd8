package postgres

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestParseRelease(t *testing.T) {
	for output, want := range map[string]Release{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": {15, 18},
		"postgres (PostgreSQL) 17.6":                           {17, 6},
		"postgres (PostgreSQL) 19beta1":                        {19, 0},
		"postgres (PostgreSQL) 9.6.24":                         {9, 6},
	} {
		t.Run("Should read "+output, func(t *testing.T) {
			is := is.New(t)
			got, err := parseRelease(output)
			is.NoErr(err)
			is.Equal(got, want)
		})
	}

	t.Run("Should refuse the output of another program", func(t *testing.T) {
		is := is.New(t)
		_, err := parseRelease("mysqld  Ver 8.0.36")
		is.True(err != nil)
	})
}

func TestRefusal(t *testing.T) {
	for release, usable := range map[Release]bool{
		{14, 20}: false, {15, 13}: false, {15, 14}: true, {16, 9}: false, {16, 10}: true, {17, 5}: false, {17, 6}: true, {18, 0}: true,
	} {
		t.Run(fmt.Sprintf("Should decide on %v", release), func(t *testing.T) {
			is := is.New(t)
			is.Equal(release.refusal() == "", usable)
		})
	}
}

// install makes a folder that looks like an installation of that version.
func install(t *testing.T, folder, version string) string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, program := range []string{"postgres", "initdb"} {
		writeProgram(t, filepath.Join(folder, program), []byte(script))
	}
	return folder
}

func TestFinder(t *testing.T) {
	t.Run("Should take the first usable installation of PATH", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		old, good, better := install(t, dir+"/a", "14.2"), install(t, dir+"/b", "15.18"), install(t, dir+"/c", "18.1")
		found, ok, err := (&finder{path: strings.Join([]string{dir, old, good, better}, ":")}).find(t.Context())
		is.NoErr(err)
		is.True(ok)
		is.Equal(found, Installation{BinDir: good, Release: Release{15, 18}})
	})

	t.Run("Should take the newest usable one of the install folders", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		install(t, dir+"/9/bin", "9.6.1")
		install(t, dir+"/15/bin", "15.18")
		newest := install(t, dir+"/16/bin", "16.10")
		install(t, dir+"/17/bin", "17.5")
		found, ok, err := (&finder{folders: []string{dir + "/*/bin"}}).find(t.Context())
		is.NoErr(err)
		is.True(ok)
		is.Equal(found.BinDir, newest)
	})

	t.Run("Should take the major version that made the data", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		made := install(t, dir+"/15/bin", "15.18")
		install(t, dir+"/18/bin", "18.1")
		found, ok, err := (&finder{folders: []string{dir + "/*/bin"}, major: 15}).find(t.Context())
		is.NoErr(err)
		is.True(ok)
		is.Equal(found.BinDir, made)
	})

	t.Run("Should say why a folder named by the user cannot be used", func(t *testing.T) {
		is := is.New(t)
		_, _, err := (&finder{explicit: install(t, t.TempDir(), "16.9")}).find(t.Context())
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "CVE-2025-8713"))
		_, _, err = (&finder{explicit: t.TempDir()}).find(t.Context())
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "has no postgres: name the folder that holds initdb and postgres, or leave the option out"))
	})
}

func TestLocate(t *testing.T) {
	t.Run("Should name every place it searched, the failed download and the next step", func(t *testing.T) {
		is := is.New(t)
		empty := httptest.NewServer(http.NotFoundHandler())
		defer empty.Close()
		old := install(t, t.TempDir(), "14.2")
		t.Setenv("PATH", old)
		folder := filepath.Join(t.TempDir(), "*")

		_, err := locate(t.Context(), Config{DataDir: t.TempDir(), Repository: empty.URL, Note: func(string) {}, folders: []string{folder}})
		is.True(err != nil)
		for _, part := range []string{
			"PATH: " + old + ": 14.2 is too old, Bulkhead needs 15.14 or later", folder + ": nothing there",
			"no usable Postgres (15.14 or later)", "--postgres-repository", "download: no version found matching", "apt-get install postgresql", "--postgres-admin-url",
		} {
			is.True(strings.Contains(err.Error(), part)) // in the message
		}
	})
}
