// A one-time link was opened by a person's browser (previewers run no scripts): press the button for her.
document.querySelector("form[data-enter]")?.requestSubmit();
