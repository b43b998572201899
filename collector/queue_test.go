package collector

import "testing"

func TestQueueRefusesWhatHasNoRoom(t *testing.T) {
	q := NewQueue[int](10)
	for i, want := range []bool{true, true, false} {
		if got := q.Push(i, 5); got != want {
			t.Errorf("push %d: %v, want %v", i, got, want)
		}
	}
	if got := q.Pop(nil, 1); len(got) != 1 || got[0] != 0 {
		t.Errorf("popped %v", got)
	}
	if !q.Push(3, 5) {
		t.Error("no room after a pop")
	}
	if got := q.Pop(nil, 10); len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("popped %v, want 1 and 3", got)
	}
}

func TestQueueTakesOneThatIsTooLarge(t *testing.T) {
	q := NewQueue[int](10)
	if !q.Push(1, 1000) {
		t.Error("an empty queue refused")
	}
	if q.Push(2, 1) {
		t.Error("a full queue took more")
	}
}

func TestQueueTellsOfEveryItem(t *testing.T) {
	q := NewQueue[int](1 << 20)
	const n = 10000
	go func() {
		for i := range n {
			q.Push(i, 1)
		}
	}()
	var got []int
	for len(got) < n {
		<-q.Ready()
		got = q.Pop(got, 7)
	}
	for i, v := range got {
		if v != i {
			t.Fatalf("item %d is %d", i, v)
		}
	}
}
