"use strict";
// Small comforts; every page works without them.

// A file dropped anywhere on the drop zone goes into its file field.
document.querySelectorAll(".drop").forEach((zone) => {
  const field = zone.querySelector("input[type=file]");
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      field.files = event.dataTransfer.files;
      field.form.requestSubmit();
    }
  });
});

// A form is sent once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.submitter?.hasAttribute("formtarget")) return; // into a frame: the page stays
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 4000);
});

// The sandbox's phone follows the newest text until somebody types on it; what was sent leaves the field.
document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  if (document.activeElement?.matches(".type input")) request.action = request.action.replace("&follow=true", "");
});
document.addEventListener("htmx:after:swap", (event) => {
  const form = event.detail.ctx.sourceElement?.closest?.("form.type");
  if (form) { form.reset(); form.querySelector("input[type=text]").focus(); }
});

// A file that is too large is said so before it is sent, not after; the server asks again.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (!field.dataset?.largest || !field.files) return;
  const large = [...field.files].find((file) => file.size > Number(field.dataset.largest));
  field.setCustomValidity(large ? `${large.name}: ${field.dataset.tooLarge}` : "");
  if (large) field.reportValidity();
});
