"use strict";
// The content editor's comforts; the page works without them.
const editor = document.querySelector("form.editor");
const mails = [...document.querySelectorAll("details.as-mail")];
let unsaved = false;

// An open mail is shown anew as one types: the same form, sent into its frame.
const show = (mail) => {
  if (!mail.open) return;
  const button = mail.querySelector("button");
  const action = editor.getAttribute("action");
  editor.setAttribute("action", button.getAttribute("formaction"));
  editor.target = button.getAttribute("formtarget");
  editor.submit();
  editor.setAttribute("action", action);
  editor.removeAttribute("target");
};
for (const mail of mails) mail.addEventListener("toggle", () => show(mail));
document.addEventListener("htmx:after:swap", () => mails.forEach(show));

// Words that are not saved are not left without a question.
editor?.addEventListener("input", () => { unsaved = true; });
editor?.addEventListener("submit", (event) => { if (!event.submitter?.hasAttribute("formtarget")) unsaved = false; });
window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
