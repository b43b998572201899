package index

import (
	"context"
	"time"
)

// fitting brings the file within Options.MaxBytes.
type fitting struct {
	w    *Writer
	now  time.Time
	runs int64 // as the last sweep counted them
}

// fit frees what is largest and least needed until the file is within
// Options.MaxBytes: damaged files that were set aside, then texts that no run
// has any more, then the longest texts, then the oldest runs, and the oldest
// usage only where that is what is too large. Texts and runs make room for a
// sixteenth more than is asked: to find what no run refers to takes a look at all
// of them, which is not for every call.
func (w *Writer) fit(ctx context.Context, now time.Time) error {
	limit := w.opts.MaxBytes
	if limit <= 0 {
		return nil
	}
	size, err := w.size(ctx)
	if err != nil {
		return err
	}
	w.forgetAside(limit - size)
	if size <= limit {
		return nil
	}
	f := &fitting{w: w, now: now}
	for _, stage := range []struct {
		goal int64
		free func(ctx context.Context, size, over int64) (more bool, err error)
	}{
		{limit - limit/16, f.orphans},
		{limit - limit/16, f.longest},
		{limit - limit/16, f.oldest},
		{limit, f.usage},
	} {
		for more := true; more && size > stage.goal; {
			if more, err = stage.free(ctx, size, size-stage.goal); err != nil {
				return err
			}
			if err = w.vacuum(ctx); err != nil {
				return err
			}
			if size, err = w.size(ctx); err != nil {
				return err
			}
		}
	}
	if size > limit {
		w.opts.Logger.Warn("index: it is larger than allowed although all that may go is gone", "bytes", size, "max_bytes", limit)
	}
	return nil
}

// orphans deletes the texts that no run refers to.
func (f *fitting) orphans(ctx context.Context, _, _ int64) (bool, error) {
	return false, f.sweep(ctx, nil)
}

// longest takes from runs the longest texts.
func (f *fitting) longest(ctx context.Context, _, over int64) (bool, error) {
	drop, err := f.w.longTexts(ctx, over)
	if err != nil || len(drop) == 0 {
		return false, err
	}
	return true, f.sweep(ctx, drop)
}

// oldest deletes the share of the runs that is too much, with their texts.
func (f *fitting) oldest(ctx context.Context, size, over int64) (bool, error) {
	// A little more, or it would come closer and closer and never arrive.
	want := max(int64(float64(f.runs)*float64(over+size/64)/float64(size)), pruneStep/4)
	gone := int64(0)
	err := f.w.repeat(ctx, func(t *txn) (bool, error) {
		n, err := t.deleteRuns(f.now.UnixMicro(), min(want-gone, pruneStep))
		gone += n
		return n == 0 || gone >= want, err
	})
	if err != nil || gone == 0 {
		return false, err
	}
	return true, f.sweep(ctx, nil)
}

// usage deletes the oldest day of usage whole, but never today's, and only when
// the file would be too large even without the texts of open runs.
func (f *fitting) usage(ctx context.Context, _, over int64) (bool, error) {
	var others int64
	before := dayOf(f.now.UnixMicro())
	err := f.w.do(ctx, func(t *txn) error {
		var oldest *int64
		_, err := t.get(`SELECT (SELECT ifnull(sum(octet_length(body)), 0) FROM t_live)
			+ (SELECT ifnull(sum(octet_length(text)), 0) FROM t_command),
			(SELECT min(day) FROM (SELECT min(day) AS day FROM t_usage UNION ALL SELECT min(day) FROM t_history))`, nil, &others, &oldest)
		if oldest != nil {
			before = min(before, *oldest+1)
		}
		return err
	})
	if err != nil || others >= over {
		return false, err
	}
	return f.w.pruneUsage(ctx, before)
}

// sweep takes texts from the runs that have them, deletes all texts that no
// run has then, and counts the runs.
func (f *fitting) sweep(ctx context.Context, drop idSet) error {
	track := func(used idSet) {
		f.w.mu.Lock()
		defer f.w.mu.Unlock()
		f.w.used = used
	}
	track(make(idSet)) // first: from here on, command tells what new runs use
	defer track(nil)
	last, err := f.w.lastText(ctx) // newer ones may be an Importer's, which does not tell what it uses
	if err != nil {
		return err
	}
	if f.runs, err = f.w.strip(ctx, drop); err != nil {
		return err
	}
	return f.w.deleteTexts(ctx, last)
}

// size is what the file's used pages take.
func (w *Writer) size(ctx context.Context) (bytes int64, err error) {
	err = w.do(ctx, func(t *txn) error {
		_, err := t.get(`SELECT (p.page_count - f.freelist_count) * s.page_size
			FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s`, nil, &bytes)
		return err
	})
	return bytes, err
}
