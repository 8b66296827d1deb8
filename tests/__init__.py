"""The lab's tests mirror the library; tests/browser drives a real Chromium."""
