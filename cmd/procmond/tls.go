package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsConfig makes the settings of a TLS receiver; nil where nothing is set.
func (s *Settings) tlsConfig() (*tls.Config, error) {
	if s.SyslogTLSCA == "" && s.SyslogTLSCert == "" && s.SyslogTLSKey == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.SyslogTLSCA != "" {
		pem, err := os.ReadFile(s.SyslogTLSCA)
		if err != nil {
			return nil, fmt.Errorf("syslog.tls_ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("syslog.tls_ca: %s: %w: no certificate in PEM form", s.SyslogTLSCA, errValue)
		}
	}
	if s.SyslogTLSCert != "" || s.SyslogTLSKey != "" {
		pair, err := tls.LoadX509KeyPair(s.SyslogTLSCert, s.SyslogTLSKey)
		if err != nil {
			return nil, fmt.Errorf("syslog.tls_cert, syslog.tls_key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
