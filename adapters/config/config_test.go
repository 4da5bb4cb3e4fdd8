package config_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/config"
)

const password = "hunter2-hunter2"

func key(b byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32)))
}

func complete() []string {
	return []string{
		"BULKHEAD_DATABASE_URL=postgres://bulkhead_app:" + password + "@db:5432/bulkhead",
		"BULKHEAD_DATABASE_AUTH_URL=postgres://bulkhead_auth:" + password + "@db:5432/bulkhead",
		"BULKHEAD_API_KEY_PEPPERS=1:" + key('a') + ",2:" + key('b'),
		"BULKHEAD_ENCRYPTION_KEYS=1:" + key('c'),
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	t.Run("Should need nothing but the database and the secrets", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(complete())
		is.NoErr(err)
		is.NoErr(c.CheckAPI())
		is.NoErr(c.CheckWorker())
		is.Equal(c.HTTP.Address, "127.0.0.1:7400")
		is.Equal(c.Temporal.Advertised(), "127.0.0.1:7233")
		is.Equal(c.Tenancy.Retention, 72*time.Hour)
		is.Equal(c.Secrets.Peppers.Current(), []byte(strings.Repeat("b", 32))) // the highest version
	})

	t.Run("Should refuse a server at which nobody may wait", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(append(complete(), "BULKHEAD_HTTP_MAX_WAITING=0"))
		is.NoErr(err)
		is.True(c.CheckAPI() != nil)
	})

	t.Run("Should name every missing variable at once", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(nil)
		is.NoErr(err)
		err = c.CheckAPI()
		is.True(err != nil)
		for _, name := range []string{"BULKHEAD_DATABASE_URL", "BULKHEAD_DATABASE_AUTH_URL", "BULKHEAD_API_KEY_PEPPERS", "BULKHEAD_ENCRYPTION_KEYS"} {
			is.True(strings.Contains(err.Error(), name+": is required")) // each one, so that one start shows them all
		}
	})

	bad := map[string]string{
		"a URL of another scheme":         "BULKHEAD_DATABASE_URL=mysql://root:" + password + "@db/x",
		"a URL that cannot be read":       "BULKHEAD_DATABASE_URL=postgres://app:" + password + "@db:port/x",
		"a pepper without a version":      "BULKHEAD_API_KEY_PEPPERS=" + key('s'),
		"a pepper that is too short":      "BULKHEAD_API_KEY_PEPPERS=1:" + base64.StdEncoding.EncodeToString([]byte(password)),
		"a pepper given twice":            "BULKHEAD_API_KEY_PEPPERS=1:" + key('s') + ",1:" + key('s'),
		"a version of zero":               "BULKHEAD_ENCRYPTION_KEYS=0:" + key('s'),
		"a Redis URL of another scheme":   "BULKHEAD_LIMITER_REDIS_URL=http://:" + password + "@cache:6379/0",
		"a Redis URL without a server":    "BULKHEAD_LIMITER_REDIS_URL=redis:" + password,
		"a Redis URL that cannot be read": "BULKHEAD_LIMITER_REDIS_URL=redis://:" + password + "@cache:port/0",
		"a delay without a unit":          "BULKHEAD_HTTP_DRAIN_DELAY=" + password,
	}
	for name, variable := range bad {
		t.Run("Should refuse "+name+" without repeating its value", func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			_, err := config.Load(append(complete(), variable))
			is.True(err != nil)
			named, _, _ := strings.Cut(variable, "=")
			is.True(strings.Contains(err.Error(), "\n"+named+": ")) // the variable, not a field of ours
			for _, leak := range []string{password, key('s'), base64.StdEncoding.EncodeToString([]byte(password))} {
				is.True(!strings.Contains(err.Error(), leak)) // a malformed value may be a secret all the same
			}
		})
	}

	t.Run("Should tell of a variable that may be misspelt, and of none that is somebody else's", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(append(complete(), "BULKHEAD_RETENTON=24h", "BULKHEAD_LIMITS=users=5", "BULKHEAD_URL=http://b",
			"BULKHEAD_SERVICE_HOST=10.0.0.1", "BULKHEAD_PORT_7400_TCP=tcp://10.0.0.1:7400", "BULKHEAD=1", "RETENTON=1h"))
		is.NoErr(err)
		is.Equal(c.Misspelt, []config.Misspelt{{Name: "BULKHEAD_RETENTON", Meant: "BULKHEAD_RETENTION"}})
	})

	t.Run("Should read nothing that README does not name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		readme, err := os.ReadFile("../../README.md")
		is.NoErr(err)
		fields, err := env.GetFieldParams(&config.Config{})
		is.NoErr(err)
		for _, f := range fields {
			if !strings.Contains(string(readme), "`"+f.Key+"`") {
				t.Errorf("README does not name %s", f.Key)
			}
		}
	})

	t.Run("Should show no secret in any way of printing", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		c, err := config.Load(append(complete(), "BULKHEAD_LIMITER_REDIS_URL=redis://bulkhead:"+password+"@cache:6379/0"))
		is.NoErr(err)
		asJSON, err := json.Marshal(c)
		is.NoErr(err)
		shown := fmt.Sprintf("%v %+v %#v %s %s", c, c, c, c.LogValue(), asJSON)
		for _, leak := range []string{password, key('a'), strings.Repeat("a", 32), "97 97 97", "0x61, 0x61"} {
			is.True(!strings.Contains(shown, leak)) // neither the password nor a key, in any notation
		}
		is.True(strings.Contains(c.Database.URL.Reveal(), password)) // the one way that shows it
		is.Equal(c.Limiter.RedisURL.Reveal(), "redis://bulkhead:"+password+"@cache:6379/0")
		is.Equal(c.Limiter.RedisURL.String(), "redis://bulkhead@cache:6379/0")
	})
}

func TestMetricsAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ     []string
		api, worker string
	}{
		"nobody chose":       {nil, "127.0.0.1:9470", "127.0.0.1:9471"},
		"it is switched off": {[]string{"BULKHEAD_METRICS_ADDRESS="}, "", ""},
		"it is chosen":       {[]string{"BULKHEAD_METRICS_ADDRESS=10.0.0.1:9000"}, "10.0.0.1:9000", "10.0.0.1:9000"},
	} {
		t.Run("Should be where operators expect it when "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			cfg, err := config.Load(c.environ)
			is.NoErr(err)
			is.Equal(cfg.Metrics.API(), c.api)
			is.Equal(cfg.Metrics.Worker(), c.worker)
		})
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	load := func(is *is.I, environ ...string) config.Config {
		c, err := config.Load(append(complete(), environ...))
		is.NoErr(err)
		return c
	}

	t.Run("Should be in the process, unless Redis is named", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(load(is).Limiter.RedisURL.IsZero())
		is.True(load(is, "BULKHEAD_LIMITER_REDIS_URL=").Limiter.RedisURL.IsZero())
		for _, u := range []string{"redis://cache:6379", "rediss://:p@cache", "unix:///run/redis.sock?db=2"} {
			is.Equal(load(is, "BULKHEAD_LIMITER_REDIS_URL="+u).Limiter.RedisURL.Reveal(), u)
		}
	})

	t.Run("Should let no request wait for long", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(load(is).Limiter.RedisTimeout, 50*time.Millisecond)
		for _, wrong := range []string{"0s", "-1s", "999us", "1001ms"} {
			is.True(load(is, "BULKHEAD_LIMITER_REDIS_TIMEOUT="+wrong).CheckAPI() != nil)
		}
		for _, right := range []string{"1ms", "1s"} {
			is.NoErr(load(is, "BULKHEAD_LIMITER_REDIS_TIMEOUT="+right).CheckAPI())
		}
	})
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	t.Run("Should repair unless it is told to report, and not all the time", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		load := func(environ ...string) config.Config {
			c, err := config.Load(append(complete(), environ...))
			is.NoErr(err)
			return c
		}
		is.True(!load().Namespaces.ReportOnly())
		is.Equal(load().Namespaces.Every, 10*time.Minute)
		is.True(load("BULKHEAD_NAMESPACES_RECONCILE=report").Namespaces.ReportOnly())
		is.NoErr(load("BULKHEAD_NAMESPACES_RECONCILE=report").CheckWorker())
		for _, wrong := range []string{"BULKHEAD_NAMESPACES_RECONCILE=off", "BULKHEAD_NAMESPACES_RECONCILE_EVERY=999ms"} {
			is.True(load(wrong).CheckWorker() != nil)
		}
	})
}
